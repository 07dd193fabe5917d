/**
 * `node test/twins/self-check.ts [part of a rule] [seed]`: breaks the rules of `broken-rules.ts` one at a time, and
 * demands that a kept scenario or a sample notices. A rule that can be broken unnoticed is a hole, and the exit status is 1.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { copyOfTree, placesOf, replaceText } from '../traps/tree-copy.ts';
import { brokenRules, type BrokenRule } from './broken-rules.ts';

const TIMEOUT_MS = 290_000;

/**
 * @param directory a copy of the tree; it is put back
 * @returns what was noticed, or null
 */
export function noticed(directory: string, { replacements, noticedBy }: BrokenRule, seed: number): string | null {
  for (const replacement of replacements) {
    const places = placesOf(directory, replacement);
    if (places !== 1) throw new Error(`${replacement.file}: ${replacement.find} is there ${places} times, not once`);
  }
  const putBack = replacements.map((replacement) => replaceText(directory, replacement));
  const what =
    typeof noticedBy === 'string'
      ? ['--file', `test/twins/${noticedBy}`]
      : ['--n', '4', '--rounds', '5', '--scenarios', `${noticedBy}`, '--seed', `${seed}`];
  const { status, stdout } = spawnSync(process.execPath, ['test/twins/main.ts', ...what], {
    cwd: directory,
    timeout: TIMEOUT_MS,
    encoding: 'utf8',
  });
  for (const back of putBack) back();
  return status === 1 ? (/^.*: not so: .*$/m.exec(stdout)?.[0] ?? null) : null;
}

function checkAll(wanted: string, seed: number): number {
  const directory = copyOfTree();
  let holes = 0;
  try {
    for (const broken of brokenRules.filter(({ rule }) => rule.includes(wanted))) {
      const found = noticed(directory, broken, seed);
      if (found === null) holes++;
      console.log(`${found === null ? 'HOLE   ' : 'noticed'} ${broken.rule}: ${found ?? `not by ${broken.noticedBy}`}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return holes;
}

if (process.argv[1] === import.meta.filename) {
  const [wanted = '', seed = '1'] = process.argv.slice(2);
  process.exitCode = checkAll(wanted, Number(seed)) === 0 ? 0 : 1;
}
