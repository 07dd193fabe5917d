import { kill } from 'node:process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { openDevnet } from '../../../src/cli/devnet/network.ts';
import { NodeProcess } from '../../../src/cli/devnet/node-process.ts';
import { temporaryDirectory } from '../../node/directory.ts';
import { run } from '../terminal.ts';

async function options() {
  return { directory: join(await temporaryDirectory(), 'net'), validators: 4, livenessWindowSeconds: 30 };
}

describe('the directory of a devnet', () => {
  test('is made once, and gone on from afterwards', async () => {
    const asked = await options();
    const first = await openDevnet(asked);
    expect(first).toMatchObject({ isNew: true, genesis: { parameters: { livenessWindowSeconds: 30 } } });
    expect(first.nodes.map(({ role }) => role)).toEqual([...Array<string>(4).fill('validator'), 'observer']);
    const again = await openDevnet({ ...asked, livenessWindowSeconds: 99, validators: 7 });
    expect(again).toEqual({ ...first, isNew: false });
    expect(toHex(again.populationSeed)).toBe(toHex(first.populationSeed));
    expect(await readdir(join(asked.directory, '..'))).toEqual(['net']);
  });

  test('is not mistaken for a directory of something else', async () => {
    const asked = await options();
    await mkdir(asked.directory);
    await expect(openDevnet(asked)).rejects.toMatchObject({ code: 'devnet-directory-foreign' });
    await writeFile(join(asked.directory, 'devnet.json'), '{}');
    await expect(openDevnet(asked)).rejects.toMatchObject({ code: 'devnet-directory-foreign' });
    const { exit, json } = await run(['devnet', '--dir', asked.directory, '--json'], '/');
    expect([exit, json()]).toMatchObject([1, { error: { code: 'devnet-directory-foreign' } }]);
  });
});

describe('a node as a process', () => {
  test('that does not start says so with its exit code and the end of its log', async () => {
    const { nodes } = await openDevnet(await options());
    const [node] = nodes;
    if (node === undefined) throw new Error('a devnet has nodes');
    await writeFile(node.configFile, '{"genesis":"genesis.json"}');
    const process = new NodeProcess(node);
    await expect(process.ready(20_000)).rejects.toMatchObject({
      code: 'node-did-not-start',
      details: { exit: '2', log: expect.stringContaining('config-invalid') as string },
    });
    expect(await process.stop()).toEqual({ code: 2, signal: null });
  });

  test('that is asked to stop twice ends by the signal, whatever it is at', async () => {
    const { nodes } = await openDevnet(await options());
    const process = new NodeProcess(nodes[0]!);
    try {
      await process.ready(20_000);
      // Both are there when it looks.
      for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) kill(process.pid!, signal);
      expect(await process.ended).toEqual({ code: null, signal: expect.stringMatching(/^SIG(INT|TERM)$/) as string });
    } finally {
      process.kill();
    }
  });
});
