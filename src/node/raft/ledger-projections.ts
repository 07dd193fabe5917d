/**
 * The projections of a ledger that begins at BASE, and that a snapshot may take the place of: then all rows go with it, and
 * new ones are made of the state that came.
 */
import type { CommittedBlock } from '../../consensus/engine.ts';
import type { ProjectionReader } from '../../projections/projection.ts';
import type { StartRebuild } from '../projections/live-rebuild.ts';
import { NodeProjections, NO_PROJECTIONS, type ProjectionsStatus } from '../projections/node-projections.ts';
import type { NodeProjectionsOptions } from '../projections/node-projections.ts';
import type { ChainLedger } from './ledger-machine.ts';

export interface LedgerProjectionsOptions extends Pick<NodeProjectionsOptions, 'logger' | 'projections'> {
  readonly startRebuildOf: (ledger: ChainLedger) => StartRebuild;
  /** They could not be opened: rows do not decode, or the store fails. */
  readonly onFailed: (error: unknown) => void;
}

export class LedgerProjections {
  readonly #options: LedgerProjectionsOptions;
  #current: NodeProjections | null = null;
  /** Opening and closing follow each other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LedgerProjectionsOptions) {
    this.#options = options;
  }

  /** Of a ledger that was opened, or that a snapshot became; null before BASE. */
  begin(ledger: ChainLedger | null): Promise<void> {
    return this.#inTurn(async () => {
      if (ledger === null || this.#current !== null) return;
      const { firstHeight, log, store } = ledger;
      const { logger, projections, startRebuildOf } = this.#options;
      const startRebuild = startRebuildOf(ledger);
      this.#current = await NodeProjections.open({ store, log, projections, firstHeight, startRebuild, logger });
      this.#current.begin();
    });
  }

  /** Blocks that were committed. Returns at once. @param ledger whose blocks they are: the first begins all projections */
  committed(ledger: ChainLedger | null, blocks: readonly CommittedBlock[]): void {
    if (this.#current === null) {
      this.begin(ledger).catch(this.#options.onFailed);
      return;
    }
    this.#current.offer(blocks.map(({ block, changes }) => ({ header: block.header, events: block.events, changes })));
  }

  /** Nothing is written from now on, until the next `begin`. */
  end(): Promise<void> {
    return this.#inTurn(async () => {
      const current = this.#current;
      this.#current = null;
      await current?.close();
    });
  }

  status(): ProjectionsStatus {
    return this.#current?.status() ?? NO_PROJECTIONS;
  }

  /** Null before BASE, and while a snapshot takes the ledger's place. */
  get current(): NodeProjections | null {
    return this.#current;
  }

  /** Null before BASE, and while a snapshot takes the ledger's place. */
  reader(name: string): ProjectionReader | null {
    return this.#current?.reader(name) ?? null;
  }

  /** Resolves when the rows hold the head of the log, and nothing is being rebuilt. */
  async settled(): Promise<void> {
    await this.#turn;
    await this.#current?.settled();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
