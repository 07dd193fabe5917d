import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { peerIdFromString } from '@libp2p/peer-id';
import { utf8 } from '../../src/base/bytes.ts';
import { SubmissionServer } from '../../src/net/submission-server.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import { startHost } from './network.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const CHAIN_ID = 'docs-0123456789abcdef0123456789abcdef';

const directories: string[] = [];
afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true })));
});

/** The program of the page, as a user who copied it would run it: a directory with the packages and nothing of ours. */
async function programDirectory(): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/submit-json.md'), 'utf8');
  const [, program] = /```js\n([^]*?)```/.exec(page) ?? [];
  expect(program).toBeDefined();
  const directory = await mkdtemp(join(tmpdir(), 'hotledger-doc-'));
  directories.push(directory);
  await writeFile(join(directory, 'submit.mjs'), program as string);
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

interface Finished {
  readonly output: string;
  readonly exitCode: number | null;
}

async function runProgram(directory: string, args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, ['submit.mjs', ...args], { cwd: directory });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return await new Promise((resolve) => child.on('close', (exitCode) => resolve({ output, exitCode })));
}

describe('docs/submit-json.md', () => {
  it('has a whole program that signs an event, submits it and reads the answer', { timeout: 20_000 }, async () => {
    const host = await startHost();
    const answers: SubmissionAnswer[] = [
      { kind: 'acknowledged', height: 1 },
      { kind: 'refused', refusal: { code: 'superseded', message: 'a later event applied', details: {} } },
    ];
    const seen: { readonly peer: string; readonly event: Record<string, unknown>; readonly signature: string }[] = [];
    const server = new SubmissionServer({
      host,
      handler: async (peer, submission) => {
        if (submission.kind === 'json') seen.push({ ...(submission.value as (typeof seen)[number]), peer });
        return [answers.shift() as SubmissionAnswer];
      },
    });
    await server.start();
    const directory = await programDirectory();
    const args = [host.addresses()[0] as string, CHAIN_ID];
    expect(await runProgram(directory, args)).toEqual({ output: 'committed\n', exitCode: 0 });
    expect(await runProgram(directory, args)).toEqual({
      output: 'refused: superseded: a later event applied\n',
      exitCode: 1,
    });
    const [first, second] = seen as [(typeof seen)[number], (typeof seen)[number]];
    expect([first.event['peerId'], second.event['peerId']]).toEqual([first.peer, first.peer]);
    const canonical = JSON.stringify(first.event, Object.keys(first.event).sort());
    const signed = utf8(`hotledger/event/1\n${CHAIN_ID}\n${canonical}`);
    const key = peerIdFromString(first.peer).publicKey;
    expect(await key?.verify(signed, Buffer.from(first.signature, 'base64'))).toBe(true);
  });
});
