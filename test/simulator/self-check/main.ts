/**
 * `npm run sim:self-check [part of a rule]`: whether the simulator finds what is wrong. Each rule of `broken-rules.ts` is
 * broken on a copy of the tree, and one of its seeds must then fail; unbroken, the same seeds must not.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { copyOfTree, placesOf, replaceText } from '../../traps/tree-copy.ts';
import { brokenRules, ROUNDS, type BrokenRule } from './broken-rules.ts';

/** A seed that never ends has found something too, but says not what: it counts as a hole. */
const LIMIT_MS = 10 * 60_000;

interface Attempt {
  readonly status: number | null;
  readonly said: string;
}

function trySeeds(directory: string, { commitDepth, seeds, validators }: BrokenRule): Attempt {
  const numbers = [validators, commitDepth, ROUNDS, seeds].map(String);
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ['--max-semi-space-size=64', 'test/simulator/self-check/try-seeds.ts', ...numbers],
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
  const networks = new Map<string, BrokenRule>();
  for (const broken of chosen) {
    const key = `${broken.validators} ${broken.commitDepth}`;
    if (broken.seeds > (networks.get(key)?.seeds ?? 0)) networks.set(key, broken);
  }
  for (const network of networks.values()) {
    const { said, status } = trySeeds(directory, network);
    if (status !== 0) throw new Error(`with no rule broken, ${network.validators} validators: ${said}`);
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

const wanted = process.argv[2] ?? '';
process.exitCode = runAll(brokenRules.filter(({ rule }) => rule.includes(wanted))) ? 0 : 1;
