/** Files that an operator names. */
import { readFile } from 'node:fs/promises';
import { CodedError, codedError, type Refusal } from '../base/result.ts';

/** Nothing is at the path. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/** @throws CodedError `absent`; `file-unusable` of one that is there and cannot be read */
export async function readTextFile(path: string, absent: Refusal): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== undefined && ABSENT.has(code)) throw new CodedError(absent, { cause: error });
    throw codedError('file-unusable', `${path} cannot be read: ${message}`, { path }, { cause: error });
  }
}
