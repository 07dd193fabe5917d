/** A scenario and how it went, as a text that is kept beside it: `UPDATE=1 vitest run test/simulator` writes what happens now. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { describeViolation } from '../checkers/violation.ts';
import type { Run } from '../playing.ts';

/** @param lines the scenario for a reader @param took how far it came, in a line */
export function told(
  { tally, violation }: Pick<Run<unknown>, 'tally' | 'violation'>,
  lines: readonly string[],
  took: string,
): string {
  const faults = tally.lines().filter((line) => /^(adversary|clock|crash|disk|network): /.test(line));
  return [
    ...lines,
    took,
    ...faults.map((line) => `  ${line}`),
    violation === null ? 'everything holds' : describeViolation(violation),
    '',
  ].join('\n');
}

/** @param path of the scenario, beside which the text is kept */
export function expectAsKept(path: string, text: string): void {
  expect(text).toContain('\neverything holds\n');
  const kept = path.replace(/\.json$/, '.txt');
  if (process.env['UPDATE'] === '1') writeFileSync(kept, text);
  else expect(text).toBe(readFileSync(kept, 'utf8'));
}
