/** The simulator on a copy of the tree in which a rule is broken. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { copyOfTree, replaceText } from '../../traps/tree-copy.ts';
import { brokenRules } from './broken-rules.ts';

export function withBroken(rule: string, work: (directory: string) => void): void {
  const broken = brokenRules.find((one) => one.rule === rule);
  if (broken === undefined) throw new Error(`no rule is called ${rule}`);
  const directory = copyOfTree();
  try {
    replaceText(directory, broken);
    work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export function simulatorIn(
  directory: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly said: string } {
  const { status, stderr, stdout } = spawnSync(process.execPath, ['test/simulator/main.ts', ...args], {
    cwd: directory,
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
}
