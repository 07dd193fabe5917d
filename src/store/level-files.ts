/** The files of a LevelDB that nobody has open, checksum by checksum, before LevelDB itself reads any of them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { damageInLog } from './level-log.ts';
import { damageInTable } from './level-table.ts';

export interface FileDamage {
  readonly file: string;
  /** Of the first damage. */
  readonly offset: number;
}

export interface CheckedFiles {
  readonly files: number;
  readonly bytes: number;
  readonly damaged: readonly FileDamage[];
}

/** The manifest has the form of a log. */
const LOGS = /^(MANIFEST-\d+|\d+\.log)$/;
const TABLES = /^\d+\.(ldb|sst)$/;

/** @param onFile is told of each file before it is read */
export async function checkLevelFiles(directory: string, onFile: (file: string) => void): Promise<CheckedFiles> {
  const damaged: FileDamage[] = [];
  let files = 0;
  let bytes = 0;
  for (const file of (await readdir(directory)).sort()) {
    const damageIn = LOGS.test(file) ? damageInLog : TABLES.test(file) ? damageInTable : undefined;
    if (damageIn === undefined) continue;
    onFile(file);
    const content = await readFile(join(directory, file));
    const offset = damageIn(content);
    if (offset !== undefined) damaged.push({ file, offset });
    files++;
    bytes += content.length;
  }
  return { files, bytes, damaged };
}
