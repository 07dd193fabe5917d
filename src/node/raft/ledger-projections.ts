/**
 * The projections of a ledger that begins at BASE, and that a snapshot may take the place of: then all rows go with it, and
 * new ones are made of the state that came.
 */
import type { CommittedBlock } from '../../consensus/engine.ts';
import type { Projection, ProjectionReader } from '../../projections/projection.ts';
import { Projector, type ProjectionStatus, type ProjectorOptions } from '../../projections/projector.ts';
import type { ChainLedger } from './ledger-machine.ts';

export interface LedgerProjectionsOptions extends Pick<ProjectorOptions, 'onStopped'> {
  readonly projections: readonly Projection[];
  /** A projector could not be opened: rows do not decode, or the store fails. */
  readonly onFailed: (error: unknown) => void;
}

export class LedgerProjections {
  readonly #options: LedgerProjectionsOptions;
  #projector: Projector | null = null;
  /** Opening and closing follow each other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LedgerProjectionsOptions) {
    this.#options = options;
  }

  /** Of a ledger that was opened, or that a snapshot became; null before BASE. */
  begin(ledger: ChainLedger | null): Promise<void> {
    return this.#inTurn(async () => {
      if (ledger === null || this.#projector !== null) return;
      const { firstHeight, log, store } = ledger;
      const { onStopped, projections } = this.#options;
      this.#projector = await Projector.open({ store, log, projections, firstHeight, onStopped });
      this.#projector.offer([]);
    });
  }

  /** Blocks that were committed. Returns at once. @param ledger whose blocks they are: the first begins all projections */
  committed(ledger: ChainLedger | null, blocks: readonly CommittedBlock[]): void {
    if (this.#projector === null) {
      this.begin(ledger).catch(this.#options.onFailed);
      return;
    }
    this.#projector.offer(
      blocks.map(({ block, changes }) => ({ header: block.header, events: block.events, changes })),
    );
  }

  /** Nothing is written from now on, until the next `begin`. */
  end(): Promise<void> {
    return this.#inTurn(async () => {
      const projector = this.#projector;
      this.#projector = null;
      await projector?.close();
    });
  }

  status(): readonly ProjectionStatus[] {
    return this.#projector?.status() ?? [];
  }

  /** Null before BASE, and while a snapshot takes the ledger's place. */
  reader(name: string): ProjectionReader | null {
    return this.#projector?.reader(name) ?? null;
  }

  /** Resolves when the rows hold the head of the log. */
  async caughtUp(): Promise<void> {
    await this.#turn;
    await this.#projector?.caughtUp();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
