import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rules, traps, type Trap } from './table.ts';

const root = join(import.meta.dirname, '..', '..');
const page = join(root, 'test', 'traps.md');

function code(text: string): string {
  const oneLine = text.replace(/\n\s*/g, ' ').replace(/\|/g, '\\|');
  return oneLine === '' ? '(nothing)' : `\`\`${oneLine}\`\``;
}

function rowsOf(table: readonly Trap[]): string[] {
  return table.flatMap(({ trap, guard, mutants }) =>
    mutants.map(({ file, find, replace, test }, index) => {
      const cells = [
        index === 0 ? trap : '',
        index === 0 ? guard : '',
        `${test.file}: ${test.name}`,
        `${file}: ${code(find)} becomes ${code(replace)}`,
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  );
}

function pageOf(): string {
  const head = ['| trap | guard | test | mutant |', '|---|---|---|---|'];
  return [
    '# Known traps of chained HotStuff',
    '',
    'Each trap, the guard that stands against it, and mutants: the guard taken out by an exact replacement of text on a',
    'copy of the tree, which the named test must notice. `npm run mutants` runs them all. Made of `test/traps/table.ts`;',
    '`UPDATE=1 vitest run test/traps` writes it again.',
    '',
    ...head,
    ...rowsOf(traps),
    '',
    '## Other rules that safety and liveness rest on',
    '',
    ...head,
    ...rowsOf(rules),
    '',
  ].join('\n');
}

describe('the table of traps', () => {
  const mutants = [...traps, ...rules].flatMap((trap) => trap.mutants);

  it('has a row for every trap, and every trap has a mutant', () => {
    expect(traps).toHaveLength(20);
    for (const trap of [...traps, ...rules]) expect(trap.mutants.length, trap.trap).toBeGreaterThan(0);
  });

  it.each(mutants.map((mutant) => ({ mutant, find: mutant.find })))(
    'replaces text that is there once: $find',
    ({ mutant }) => {
      const { file, find, replace, test } = mutant;
      expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2);
      expect(replace).not.toBe(find);
      expect(readFileSync(join(root, test.file), 'utf8').length).toBeGreaterThan(0);
    },
  );

  it('is what test/traps.md says', () => {
    if (process.env['UPDATE'] === '1') writeFileSync(page, pageOf());
    expect(readFileSync(page, 'utf8')).toBe(pageOf());
  });
});
