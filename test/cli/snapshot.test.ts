import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { parseConfig } from '../../src/node/config.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { emptyPlace, testLedger } from '../node/snapshot/ledger.ts';
import { commandBlocks, page } from './pages.ts';
import { run } from './terminal.ts';

const CONFIG = ['--config', 'config.json'];

test('a ledger goes through a file into another directory, by the commands', async () => {
  const { chain, directory } = await testLedger(6);
  const json = async (argv: readonly string[], place = directory) =>
    (await run(['snapshot', ...argv, ...CONFIG, '--json'], place)).json();
  const facts = { height: 6, stateRoot: chain.machine.head.stateRoot, entries: 8 };
  expect(await json(['list'])).toEqual({ snapshots: [] });
  expect(await json(['create'])).toMatchObject(facts);
  expect(await json(['create'])).toMatchObject({ error: { code: 'snapshot-exists' } });
  expect(await json(['list'])).toMatchObject({ snapshots: [{ kind: 'snapshot', ...facts }] });
  expect(await json(['verify'])).toMatchObject({ valid: true, ...facts });
  expect(await json(['export', 'out.snapshot'])).toMatchObject({ file: join(directory, 'out.snapshot'), ...facts });
  const other = await emptyPlace(chain);
  const file = join(directory, 'out.snapshot');
  expect(await json(['verify', file], other.directory)).toMatchObject({ valid: true });
  expect(await json(['restore', file], other.directory)).toMatchObject({ ...facts, resumedChunks: 0 });
  expect(await json(['restore', file], other.directory)).toMatchObject({ error: { code: 'store-not-empty' } });
});

test('the commands of docs/operations/snapshots.md back a ledger up and restore it', async () => {
  const directory = await temporaryDirectory();
  for (const name of ['node', 'new', 'backup']) await mkdir(join(directory, name));
  const { chain } = await testLedger(4, join(directory, 'node'));
  await emptyPlace(chain, join(directory, 'new'));
  const blocks = commandBlocks(await page('snapshots.md'));
  expect(blocks).toHaveLength(4);
  for (const line of blocks.join('').trimEnd().split('\n')) {
    const [program, ...argv] = line.split(' ');
    expect(program).toBe('hotledger');
    const { err, exit, out } = await run(argv, directory);
    expect([line, exit, err]).toEqual([line, 0, expect.anything()]);
    if (argv[1] === 'list') expect(out).toContain(chain.machine.head.stateRoot);
  }
});

test('docs/operations/pruning.md has settings that are some, and the words of the status', async () => {
  const text = await page('pruning.md');
  const settings = JSON.parse(/^```json\n(.*?)^```$/ms.exec(text)?.[1] ?? '') as object;
  const { pruning } = parseConfig({ genesis: 'g', dataDirectory: 'd', ...settings });
  expect(pruning.policy).toBe('keepBlocks');
  for (const policy of ['all', 'keepBlocks', 'keepFor']) expect(text).toContain(`| \`${policy}\` |`);
  const sources = ['snapshot/snapshot-service.ts', 'projections/node-projections.ts'].map((name) =>
    readFileSync(new URL(`../../src/node/${name}`, import.meta.url), 'utf8'),
  );
  const reasons = [
    ...['there is no snapshot to drop blocks behind', 'projections are being rebuilt', 'the projection '],
  ];
  for (const reason of reasons)
    expect([reason, text, sources.join('')]).toEqual([reason, containing(reason), containing(reason)]);
});

const containing = (text: string): unknown => expect.stringContaining(text);

test('what cannot be verified exits with 3, and what is not there with 1', async () => {
  const { directory } = await testLedger(2);
  await writeFile(join(directory, 'false.snapshot'), 'hotledger snapshot 1\n');
  const verified = await run(['snapshot', 'verify', 'false.snapshot', ...CONFIG], directory);
  expect(verified).toMatchObject({ exit: EXIT.unverified, code: 'snapshot-incomplete' });
  const missing = await run(['snapshot', 'verify', ...CONFIG], directory);
  expect(missing).toMatchObject({ exit: EXIT.unverified, code: 'snapshot-missing' });
  const restored = await run(['snapshot', 'restore', 'nowhere', ...CONFIG], directory);
  expect(restored).toMatchObject({ exit: EXIT.error, code: 'snapshot-missing' });
});

test('a member of a Raft cluster is told that its snapshots are others', async () => {
  const { directory } = await testLedger(1);
  await writeFile(
    join(directory, 'config.json'),
    '{"genesis":"genesis.json","dataDirectory":"data","raft":{"listen":"127.0.0.1:4101"}}',
  );
  const { code } = await run(['snapshot', 'create', ...CONFIG], directory);
  expect(code).toBe('snapshot-crash-only');
});
