/**
 * `npm run sim:self-check [-- --engine raft] [part of a rule]`: whether the simulator finds what is wrong. Each rule of
 * `broken-rules.ts`, or of `raft-rules.ts`, is broken on a copy of the tree, and one of its seeds must then fail; unbroken,
 * the same seeds must not.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { copyOfTree, placesOf, replaceText } from '../../traps/tree-copy.ts';
import { brokenRules, type BrokenRule } from './broken-rules.ts';
import { brokenRaftRules } from './raft-rules.ts';

/** A seed that never ends has found something too, but says not what: it counts as a hole. */
const LIMIT_MS = 10 * 60_000;

interface Attempt {
  readonly status: number | null;
  readonly said: string;
}

function trySeeds(directory: string, { network, seeds }: Pick<BrokenRule, 'network' | 'seeds'>): Attempt {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ['--max-semi-space-size=64', 'test/simulator/self-check/try-seeds.ts', ...[...network, seeds].map(String)],
    { cwd: directory, timeout: LIMIT_MS, encoding: 'utf8' },
  );
  return { status, said: (stdout + stderr).trim().split('\n')[0] ?? '' };
}

/** @returns how it was found, or null */
function judge(directory: string, broken: BrokenRule): string | null {
  const places = placesOf(directory, broken);
  if (places !== 1) throw new Error(`the text of "${broken.rule}" is there ${places} times, not once`);
  const putBack = replaceText(directory, broken);
  const { said, status } = trySeeds(directory, broken);
  putBack();
  return status === 1 && said.startsWith('seed ') ? said : null;
}

/** The same seeds, with nothing broken: else what was found proves nothing. */
function checkUnbroken(directory: string, chosen: readonly BrokenRule[]): void {
  const most = new Map<string, BrokenRule>();
  for (const broken of chosen) {
    const key = broken.network.join(' ');
    if (broken.seeds > (most.get(key)?.seeds ?? 0)) most.set(key, broken);
  }
  for (const [network, broken] of most) {
    const { said, status } = trySeeds(directory, broken);
    if (status !== 0) throw new Error(`with no rule broken, ${network}: ${said}`);
  }
}

function runAll(chosen: readonly BrokenRule[]): boolean {
  const directory = copyOfTree();
  let holes = 0;
  try {
    checkUnbroken(directory, chosen);
    for (const broken of chosen) {
      const found = judge(directory, broken);
      if (found === null) holes++;
      console.log(`${found === null ? 'HOLE ' : 'found'} ${broken.rule}: ${found ?? `not in ${broken.seeds} seeds`}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(`${chosen.length - holes} broken rules found, ${holes} holes`);
  return holes === 0 && chosen.length > 0;
}

const { positionals, values } = parseArgs({
  options: { engine: { type: 'string', default: 'hotstuff' } },
  allowPositionals: true,
});
const [wanted = ''] = positionals;
const rules = values.engine === 'raft' ? brokenRaftRules : brokenRules;
process.exitCode = runAll(rules.filter(({ rule }) => rule.includes(wanted))) ? 0 : 1;
