/**
 * The disk of a loop: one batch is written at a time, and what is asked for meanwhile gathers and goes into the next one
 * (group commit). Whoever adds to a group hears when the group is durable, in the order of adding. After a write that
 * failed nothing is written and nobody hears anything more, but that failure.
 *
 * A write that nobody waits for goes with the next one: a write of its own would cost the same work again.
 */
import type { Store, StoreOperation } from '../store/store.ts';

export interface Write {
  readonly operations: readonly StoreOperation[];
  /** Whether it must survive a power cut before it counts as written. */
  readonly sync: boolean;
}

/** What waits to go with others goes alone after this long, or with so many operations. */
const LATER_MS = 20;
const LATER_OPERATIONS = 1024;

interface Group {
  /** Nobody waits for any of it. */
  isForLater: boolean;
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
  /** Runs at most once at a time: it may find nothing that waits. */
  #later: NodeJS.Timeout | null = null;

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
    if (operations.length === 0 && !this.#isWriting && this.#gathering?.isForLater !== false) {
      written();
      return;
    }
    this.#gather({ operations, sync }, written, failed).isForLater = false;
    if (!this.#isWriting) this.#writeNext();
  }

  /** The same for what nobody waits for. */
  addForLater(write: Write, failed: (error: unknown) => void): void {
    if (this.#failure !== null) {
      failed(this.#failure.error);
      return;
    }
    this.#gather(write, null, failed);
    if (!this.#isWriting) this.#writeOrWait();
  }

  /** Settles when nothing is under way any more, whether it was written or not. */
  async settled(): Promise<void> {
    if (!this.#isWriting) this.#writeNext();
    while (!this.isIdle && this.#failure === null) {
      this.#idle ??= Promise.withResolvers<void>();
      await this.#idle.promise;
    }
  }

  #gather({ operations, sync }: Write, written: (() => void) | null, failed: (error: unknown) => void): Group {
    this.#gathering ??= { isForLater: true, operations: [], sync: false, written: [], failed: [] };
    const group = this.#gathering;
    for (const operation of operations) group.operations.push(operation);
    group.sync ||= sync;
    if (written !== null) group.written.push(written);
    group.failed.push(failed);
    return group;
  }

  #writeOrWait(): void {
    const group = this.#gathering;
    if (group === null) return;
    if (!group.isForLater || group.operations.length >= LATER_OPERATIONS) this.#writeNext();
    else this.#later ??= setTimeout(() => this.#writeLate(), LATER_MS);
  }

  #writeLate(): void {
    this.#later = null;
    if (!this.#isWriting) this.#writeNext();
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
    this.#writeOrWait();
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
