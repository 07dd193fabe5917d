/** A copy of sources and tests in which a rule can be broken by an exact replacement of text. */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** @returns its directory, for the caller to remove */
export function copyOfTree(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hotledger-mutants-'));
  for (const name of ['src', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

export interface Replacement {
  /** Below the root of the repository. */
  readonly file: string;
  /** Exact text, which must be there once. */
  readonly find: string;
  readonly replace: string;
}

/** How often the text that is to be replaced is there. */
export function placesOf(directory: string, { file, find }: Pick<Replacement, 'file' | 'find'>): number {
  return readFileSync(join(directory, file), 'utf8').split(find).length - 1;
}

/** @returns how to put the text back */
export function replaceText(directory: string, { file, find, replace }: Replacement): () => void {
  const path = join(directory, file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return () => writeFileSync(path, text);
}
