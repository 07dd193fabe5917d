/**
 * The disk of a loop: one batch is written at a time, and what is asked for meanwhile gathers and goes into the next one
 * (group commit). Whoever adds to a group hears when the group is durable, in the order of adding. After a write that
 * failed nothing is written and nobody hears anything more, but that failure.
 */
import type { Store, StoreOperation } from '../store/store.ts';

export interface Write {
  readonly operations: readonly StoreOperation[];
  /** Whether it must survive a power cut before it counts as written. */
  readonly sync: boolean;
}

interface Group {
  readonly operations: StoreOperation[];
  sync: boolean;
  readonly written: (() => void)[];
  readonly failed: ((error: unknown) => void)[];
}

export class GroupCommit {
  readonly #store: Store;
  #gathering: Group | null = null;
  #isWriting = false;
  #failure: { readonly error: unknown } | null = null;
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Nothing is being written, and nothing waits to be. */
  get isIdle(): boolean {
    return !this.#isWriting && this.#gathering === null;
  }

  /** @param written runs once this write and all before it are done; never when one of them failed */
  add({ operations, sync }: Write, written: () => void, failed: (error: unknown) => void): void {
    if (this.#failure !== null) {
      failed(this.#failure.error);
      return;
    }
    if (operations.length === 0 && this.isIdle) {
      written();
      return;
    }
    this.#gathering ??= { operations: [], sync: false, written: [], failed: [] };
    const group = this.#gathering;
    for (const operation of operations) group.operations.push(operation);
    group.sync ||= sync;
    group.written.push(written);
    group.failed.push(failed);
    if (!this.#isWriting) this.#writeNext();
  }

  /** Settles when nothing is under way any more, whether it was written or not. */
  async settled(): Promise<void> {
    while (!this.isIdle && this.#failure === null) {
      this.#idle ??= Promise.withResolvers<void>();
      await this.#idle.promise;
    }
  }

  #writeNext(): void {
    const group = this.#gathering;
    if (group === null) return;
    this.#gathering = null;
    this.#isWriting = true;
    const { operations, sync } = group;
    const done = operations.length > 0 ? this.#store.batch(operations, { sync }) : Promise.resolve();
    // What is done with a written group fails by our own bug only, and stops the disk as a write that failed does.
    done.then(() => this.#written(group)).catch((error: unknown) => this.#failed(group, error));
  }

  #written(group: Group): void {
    if (this.#failure !== null) throw this.#failure.error;
    this.#isWriting = false;
    // The next group is on its way before anybody is told of this one: the disk does not wait for what is said.
    this.#writeNext();
    for (const written of group.written) written();
    if (this.isIdle) this.#wakeIdle();
  }

  #failed(group: Group, error: unknown): void {
    this.#failure ??= { error };
    const behind = this.#gathering;
    this.#gathering = null;
    this.#isWriting = false;
    for (const failed of [...group.failed, ...(behind?.failed ?? [])]) failed(error);
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    this.#idle?.resolve();
    this.#idle = null;
  }
}
