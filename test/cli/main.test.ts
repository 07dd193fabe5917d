import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../node/directory.ts';
import { run } from './terminal.ts';

const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';

const COMMANDS = [
  'init',
  'genesis',
  'testnet',
  'start',
  'devnet',
  'status',
  'submit',
  'get',
  'watch',
  'import',
  'replay',
];

describe('the command line', () => {
  test('lists every command, the exit codes and where error codes are', async () => {
    const { exit, out } = await run(['--help'], '/');
    expect(exit).toBe(0);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(out).toContain('3 cannot be verified');
    expect(out).toContain('docs/errors.md');
  });

  test.each(COMMANDS)('%s --help has an example', async (command) => {
    const { exit, out } = await run([command, '--help'], '/');
    expect(exit).toBe(0);
    expect(out).toMatch(/^Examples?:\n  /m);
    expect(out).toContain(`hotledger ${command}`);
  });

  test.each([
    ['an unknown command', ['strat']],
    ['an unknown flag', ['status', '--loud']],
    ['a missing argument', ['get']],
    ['a flag without its value', ['testnet', '--out']],
    ['a number out of range', ['testnet', '--out', 'x', '--validators', '0']],
    ['a duration that is none', ['get', PEER, '--max-age', 'soon']],
    ['no network', ['get', PEER]],
    ['no node', ['status']],
    ['a type of event that does not exist', ['submit', 'vanished', '--key', 'k', '--genesis', 'g']],
    ['--genesis without --out', ['import', 'x.json', '--genesis', 'g.json']],
    ['a peer to ask without its id', ['get', PEER, '--genesis', 'g', '--from', '/ip4/1.1.1.1/tcp/1']],
    ['a mix of unknown parts', ['devnet', '--mix', 'sleepy=0.5']],
    ['a share above all', ['devnet', '--adversaries', '101%']],
  ])('%s is a usage error', async (_what, argv) => {
    const { exit, out, err } = await run(argv, await temporaryDirectory());
    expect(exit).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/error|usage/);
  });

  // Each is refused for this, before it is looked for a network or a node, which there is not either.
  test.each([
    ['no time to wait for an answer', 'Write a duration above 0', ['get', PEER, '--timeout', '0']],
    ['to read all the time', 'Write a duration above 0', ['watch', PEER, '--every', '0']],
    ['the record of no peer id', 'error peer-id-invalid', ['get', 'x']],
    ['the history of no peer id', 'error peer-id-invalid', ['history', 'x']],
    ['to watch a peer id without its key', 'error peer-id-unsupported', ['watch', 'QmX']],
    ['a last height below', '--from is the first height', ['export', '--what', 'events', '--from', '9', '--to', '8']],
  ])('%s is a usage error', async (_what, because, argv) => {
    const { exit, out, err } = await run(argv, await temporaryDirectory());
    expect([exit, out]).toEqual([2, '']);
    expect(err).toContain(because);
  });

  test.each(['--validator', '--cachePath=/x', '--env=test', '--api-enabled', '--privateKey=00'])(
    'start %s, which masa-oracle had, is answered with what takes its place',
    async (flag) => {
      const { exit, err } = await run(['start', flag], '/');
      expect(exit).toBe(2);
      expect(err).toContain('is not a setting of hotledger: ');
    },
  );

  test('with --json an error is one JSON object with code, message, details and what to do next', async () => {
    const directory = await temporaryDirectory();
    const { exit, json } = await run(['status', '--data', 'none', '--json'], directory);
    expect(exit).toBe(5);
    expect(json()).toMatchObject({ error: { code: 'node-not-running', details: {} } });
  });

  test('without --json an error names its code, its message and its numbers', async () => {
    const directory = await temporaryDirectory();
    const { exit, err } = await run(['start', '--config', 'none.json'], directory);
    expect(exit).toBe(2);
    expect(err).toMatch(/^hotledger: error config-not-found: there is no configuration/);
    expect(err).toContain(`path=${directory}/none.json`);
  });

  test('the launcher runs it and passes the exit code on', async () => {
    const launcher = new URL('../../bin/hotledger.js', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [launcher, '--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    await expect(promisify(execFile)(process.execPath, [launcher, 'strat'])).rejects.toMatchObject({ code: 2 });
    const full = promisify(execFile)('sh', ['-c', '"$0" "$1" --help > /dev/full', process.execPath, launcher]);
    const { code: exit, stderr } = (await full.catch((error: unknown) => error)) as { code: number; stderr: string };
    const [, code, reason] = /^hotledger: error (\S+): .*(ENOSPC).*\n$/.exec(stderr) ?? [];
    expect([exit, code, reason]).toEqual([1, 'output-failed', 'ENOSPC']);
  });
});
