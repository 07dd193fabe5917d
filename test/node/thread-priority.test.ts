/** In processes of their own: a priority that was given up does not come back. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const THREAD_PRIORITY = new URL('../../src/node/thread-priority.ts', import.meta.url).href;
const SIGNATURE_THREAD = new URL('../../src/node/signature-thread.ts', import.meta.url).href;
/** Root may take a niceness back, and would see nothing of who tries to. */
const AS_ANYBODY = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-sys_nice'] : [];

async function nice(by: number, script: string): Promise<unknown> {
  const [command = '', ...argv] = [...AS_ANYBODY, 'nice', '-n', String(by), process.execPath, '-e', script];
  return JSON.parse((await promisify(execFile)(command, argv)).stdout);
}

describe.runIf(process.platform === 'linux')('in a process that was started as a nice one', () => {
  test('a thread steps aside beside what its process has, at most to 19', async () => {
    const script = `
      import { getPriority } from 'node:os';
      const { stepAside } = await import('${THREAD_PRIORITY}');
      const seen = [getPriority(0)];
      for (const niceness of [0, 5, 19]) { stepAside(niceness); seen.push(getPriority(0)); }
      console.log(JSON.stringify(seen));`;
    const own = (await nice(0, script)) as number[];
    const [from = 0] = own;
    expect(own).toEqual([from, from, Math.min(19, from + 5), 19]);
    const begun = Math.min(19, from + 7);
    expect(await nice(7, script)).toEqual([begun, begun, Math.min(19, begun + 5), 19]);
  });

  test.each([0, 5])('signatures are checked, by a thread that is nicer by %i', async (niceness) => {
    const script = `
      const { SignatureThread } = await import('${SIGNATURE_THREAD}');
      const thread = new SignatureThread({ niceness: ${niceness} });
      const key = { keyType: 'ed25519', publicKey: new Uint8Array(32) };
      const valid = await thread.verify(key, new Uint8Array(1), new Uint8Array(64));
      await thread.close();
      console.log(JSON.stringify(valid));`;
    expect(await nice(7, script)).toBe(false);
  });
});
