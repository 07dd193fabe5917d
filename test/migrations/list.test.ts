import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { STEPS } from '../../migrations/list.ts';
import { root } from '../../scripts/run.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { LAYOUT_STEPS } from '../../src/ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../../src/ledger/layout.ts';

const files = globSync('migrations/[0-9]*.ts', { cwd: root }).sort();

describe('the migrations', () => {
  test('are all in the list, in the order of their numbers, each under the name of its file', () => {
    expect(STEPS.map(({ id }) => id)).toEqual(files.map((file) => basename(file, '.ts')));
    expect(files.map((file) => Number(basename(file).slice(0, 4)))).toEqual(STEPS.map(({ to }) => to));
  });

  test('lead from layout 1 to the present one, one after another', () => {
    expect(STEPS.map(({ from }) => from)).toEqual([1, ...STEPS.map(({ to }) => to)].slice(0, -1));
    expect(STEPS.at(-1)?.to).toBe(LAYOUT_VERSION);
  });

  test('are those that every directory remembers', () => {
    expect(LAYOUT_STEPS.map(({ from, id, to }) => ({ from, id, to }))).toEqual(
      STEPS.map(({ from, id, to }) => ({ from, id, to })),
    );
  });

  test.each(files)('%s is as it was when it was first made: a new layout is a new file', (file) => {
    const known = LAYOUT_STEPS.find(({ id }) => id === basename(file, '.ts'));
    expect(known?.checksum).toBe(sha256Hex(readFileSync(join(root, file))));
  });

  test('say what is another afterwards in a sentence', () => {
    for (const { title } of STEPS) expect(title).toMatch(/^[A-Z].{20,110}\.$/);
  });
});
