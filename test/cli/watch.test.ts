import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import type { CommitNotice } from '../../src/node/status.ts';
import { startFakeNode } from './fake-node.ts';
import { run } from './terminal.ts';

const LAUNCHER = new URL('../../bin/hotledger.js', import.meta.url).pathname;

function notice(height: number): CommitNotice {
  const event = { id: ZERO_HASH, type: 'joined', peerId: '12D3KooW', seq: 5 };
  return { height, blockId: ZERO_HASH, stateRoot: ZERO_HASH, timestamp: 1_724_673_600, events: [event, event] };
}

describe('watch', () => {
  test('prints a line for each committed event, and ends with 5 when the node does', async () => {
    const node = await startFakeNode();
    const watching = run(['watch', '--data', '.'], node.directory);
    await expect.poll(() => node.watchers()).toBe(1);
    node.commit(notice(8));
    node.commit(notice(9));
    await node.end();
    const { exit, out, err } = await watching;
    const line = (height: number) => `2024-08-26T12:00:00Z  ${height}  joined                12D3KooW  5`;
    expect(out.split('\n')).toEqual([line(8), line(8), line(9), line(9)]);
    expect([exit, err]).toEqual([5, expect.stringContaining('node-not-running')]);
  });

  test('prints a JSON object for each block, and ends with 0 on Ctrl-C', async () => {
    const node = await startFakeNode();
    const watching = spawn(process.execPath, [LAUNCHER, 'watch', '--data', '.', '--json'], { cwd: node.directory });
    onTestFinished(() => void watching.kill('SIGKILL'));
    const lines = createInterface({ input: watching.stdout })[Symbol.asyncIterator]();
    await expect.poll(() => node.watchers(), { timeout: 10_000 }).toBe(1);
    node.commit(notice(8));
    expect(JSON.parse((await lines.next()).value as string)).toEqual(notice(8));
    watching.kill('SIGINT');
    expect(await once(watching, 'exit')).toEqual([0, null]);
    await expect.poll(() => node.watchers()).toBe(0);
  });

  test('of a node that is not running is answered with 5', async () => {
    const { directory, end } = await startFakeNode();
    await end();
    expect(await run(['watch', '--data', '.', '--json'], directory)).toMatchObject({ exit: 5 });
  });
});
