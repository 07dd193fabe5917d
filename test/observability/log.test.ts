import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createLog, flushLog } from '../../src/observability/log.ts';
import { temporaryDirectory } from '../node/directory.ts';

async function logFile(): Promise<{ readonly file: string; readonly lines: () => Promise<Record<string, unknown>[]> }> {
  const file = join(await temporaryDirectory(), 'logs', 'node.log');
  const lines = async () => {
    const text = await readFile(file, 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { file, lines };
}

describe('a log', () => {
  test('is one JSON object a line, with time, level by name, process and what was said', async () => {
    const { file, lines } = await logFile();
    const log = createLog({ level: 'info', file });
    log.info({ height: 7 }, 'committed');
    log.debug('not at this level');
    await flushLog(log);
    const [line, ...more] = await lines();
    expect(line).toMatchObject({ level: 'info', pid: process.pid, height: 7, msg: 'committed' });
    expect(Date.parse(String(line?.['time']))).not.toBeNaN();
    expect(more).toEqual([]);
  });

  test('never holds a key', async () => {
    const { file, lines } = await logFile();
    const log = createLog({ level: 'info', file });
    log.info({ identityKeyHex: '08011240', config: { identityKeyHex: '08011240', secretKey: 'abc' } }, 'started');
    await flushLog(log);
    expect(JSON.stringify(await lines())).not.toMatch(/08011240|abc/);
  });

  test('at level trace has each line written when the call returns, so that a killed process leaves them all', async () => {
    const { file, lines } = await logFile();
    const log = createLog({ level: 'trace', file });
    log.trace({ round: 3 }, 'ballot sent');
    expect(await lines()).toMatchObject([{ round: 3, msg: 'ballot sent' }]);
  });

  test('goes on in the file that is there', async () => {
    const { file, lines } = await logFile();
    for (const life of ['first', 'second']) {
      const log = createLog({ level: 'info', file });
      log.info(life);
      await flushLog(log);
    }
    expect((await lines()).map(({ msg }) => msg)).toEqual(['first', 'second']);
  });

  test('is refused with a code where its file is a directory or has no place', async () => {
    const directory = await temporaryDirectory();
    for (const file of [directory, join('/dev/null', 'node.log')]) {
      expect(() => createLog({ level: 'info', file })).toThrow(
        expect.objectContaining({ code: 'log-file-unusable', details: { file } }) as Error,
      );
    }
  });

  test('on a disk that is full is said once, and the process goes on', async () => {
    const program = `
      import { createLog } from ${JSON.stringify(new URL('../../src/observability/log.ts', import.meta.url).href)};
      const log = createLog({ level: 'info', file: '/dev/full' });
      for (let line = 0; line < 3; line++) {
        log.info({ line }, 'said');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      console.log('goes on');
      process.exit(0);`;
    const { stderr, stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(stdout).toBe('goes on\n');
    expect(stderr).toMatch(/^hotledger: error log-file-unusable: the log cannot be written: ENOSPC.*\n$/);
  });
});
