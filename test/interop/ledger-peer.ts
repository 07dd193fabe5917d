/**
 * The ledger in a server's process, before BASE: a member of the older system's cluster. Its report is that of the Go
 * server's `-fsm kv`, made of the very bytes that it would send as a snapshot.
 */
import { sha256Hex } from '../../src/base/hash.ts';
import { legacyValueKey } from '../../src/ledger/layout.ts';
import { RaftLedger } from '../../src/node/raft/ledger-machine.ts';
import type { LedgerOutcome } from '../../src/node/raft/ledger-outcome.ts';
import type { Application, StateMachine } from '../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import type { Store, StoreOperation } from '../../src/store/store.ts';
import { Cluster } from '../ledger/raft-cluster.ts';
import type { PeerMachine } from './peer-machine.ts';

export async function ledgerPeer(store: Store): Promise<PeerMachine<LedgerOutcome>> {
  const { genesis, validators } = new Cluster();
  const outlets = { committed: () => undefined, replacing: async () => undefined, replaced: async () => undefined };
  const machine = new Counting(await RaftLedger.open({ store, genesis, validators, validatorKey: null, outlets }));
  return {
    machine,
    report: async () => {
      const { count, last, malformed, restores } = machine;
      const text = await machine.snapshotText();
      const size = text === undefined ? 0 : Object.keys(JSON.parse(text.toString()) as object).length;
      return { count, size, hash: text === undefined ? '' : sha256Hex(text), last, malformed, restores };
    },
    dump: () => machine.snapshotText(),
    get: (key) => store.get(legacyValueKey(key)),
    resultOf: (outcome) => (outcome.kind === 'value' && outcome.refusal !== null ? outcome.refusal.code : null),
  };
}

/** Counts what passes, of this process's life. */
class Counting implements StateMachine<LedgerOutcome> {
  readonly #ledger: RaftLedger;
  count = 0;
  malformed = 0;
  restores = 0;
  last = 0;

  constructor(ledger: RaftLedger) {
    this.#ledger = ledger;
  }

  apply(entries: readonly Entry[]): Application<LedgerOutcome> {
    const application = this.#ledger.apply(entries);
    for (const [place, { index, type }] of entries.entries()) {
      if (type !== ENTRY_TYPES.command) continue;
      const outcome = application.outcomes[place];
      this.count++;
      this.last = index;
      if (outcome?.kind === 'value' && outcome.refusal !== null) this.malformed++;
    }
    return application;
  }

  written(application: Application<LedgerOutcome>): void {
    this.#ledger.written(application);
  }

  snapshot(): Promise<AsyncIterable<Uint8Array>> {
    return this.#ledger.snapshot();
  }

  async *restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]> {
    yield* this.#ledger.restore(snapshot);
    this.restores++;
    this.last = 0;
  }

  /** Undefined while a snapshot takes its place. */
  async snapshotText(): Promise<Buffer | undefined> {
    if (this.#ledger.isRestoring) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of await this.#ledger.snapshot()) pieces.push(piece);
    return Buffer.concat(pieces);
  }
}
