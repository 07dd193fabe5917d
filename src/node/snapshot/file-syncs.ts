/** Files that were written are brought to the disk beside other work, a few at a time. */
import { open } from 'node:fs/promises';

/** More would take the threads that others wait for: the store writes its batches on them too. */
const AT_ONCE = 2;

export class FileSyncs {
  readonly #left: string[] = [];
  readonly #lanes: Promise<void>[] = [];
  #running = 0;
  #failure: Error | null = null;

  /** The file has all of its bytes. Returns at once. */
  add(path: string): void {
    this.#left.push(path);
    if (this.#running === AT_ONCE) return;
    this.#running++;
    this.#lanes.push(this.#lane());
  }

  /** Resolves when all that were added are on the disk. @throws what the disk said of the first that is not */
  async done(): Promise<void> {
    while (this.#lanes.length > 0) await this.#lanes.pop();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Never rejects: `done` tells. */
  async #lane(): Promise<void> {
    try {
      for (let path = this.#left.pop(); path !== undefined && this.#failure === null; path = this.#left.pop()) {
        await syncFile(path);
      }
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#running--;
    }
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
