import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/node/config.ts';
import { replayOf } from './replaying.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');
const layouts = readdirSync(FIXTURES).filter((name) => name.startsWith('layout-'));
const work = mkdtempSync(join(tmpdir(), 'hotledger-layouts-'));

afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

describe('data directories of released versions', () => {
  test('are kept, from the first layout on', () => {
    expect(layouts).toContain('layout-1');
  });

  test.each(layouts)(
    '%s, killed in the middle of its work, opens, and its log gives the same state',
    async (layout) => {
      const directory = join(work, layout);
      cpSync(join(FIXTURES, layout), directory, { recursive: true });
      const { config } = await loadConfig({
        file: join(directory, 'config.json'),
        environment: {},
        flags: {},
        directory,
      });
      const report = await replayOf(config, { verifySignatures: true });
      expect(report.events).toBeGreaterThan(40);
      expect(report.height).toBeGreaterThan(10);
      expect(report.compared?.state).toMatchObject({ equal: true, firstDifference: null });
      expect(report.verified).toEqual({ signatures: true, seals: true });
    },
  );
});
