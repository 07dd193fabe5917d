/**
 * A mark beside a key says that the key was never used for something that must not be done twice. Who makes the key leaves
 * it, who uses the key removes it first, and a directory that was emptied or a disk that was lost does not bring it back.
 */
import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { synced } from './synced.ts';

export interface Mark {
  isThere(): Promise<boolean>;
  /** Resolves when it cannot come back. */
  remove(): Promise<void>;
}

/** @param sentence for who finds the file */
export async function leaveMark(path: string, sentence: string): Promise<void> {
  await writeFile(path, `${sentence}\n`, { mode: 0o600 });
}

export function markFile(path: string): Mark {
  return {
    isThere: () => exists(path),
    async remove() {
      await rm(path, { force: true });
      // Else a power cut could bring the mark back, beside a disk that was lost later.
      await synced(dirname(path));
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
