/**
 * The ledger in a server's process, a member of the older system's cluster until BASE. Its report is
 * that of the Go server's `-fsm kv`, made of the very bytes that it would send as a snapshot.
 */
import { createHash } from 'node:crypto';
import { utf8 } from '../../src/base/bytes.ts';
import { legacyValueKey } from '../../src/ledger/layout.ts';
import { inGoOrder, legacyMember } from '../../src/ledger/legacy-state.ts';
import { RaftLedger } from '../../src/node/raft/ledger-machine.ts';
import type { LedgerOutcome } from '../../src/node/raft/ledger-outcome.ts';
import { SnapshotText } from '../../src/node/raft/snapshot-text.ts';
import type { Application, StateMachine } from '../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import type { Store, StoreOperation } from '../../src/store/store.ts';
import { Cluster } from '../ledger/raft-cluster.ts';
import type { MachineReport } from './admin.ts';
import type { PeerMachine } from './peer-machine.ts';

export async function ledgerPeer(store: Store): Promise<PeerMachine<LedgerOutcome>> {
  const { genesis, validators } = new Cluster();
  const outlets = { committed: () => undefined, replacing: async () => undefined, replaced: async () => undefined };
  const machine = new Counting(await RaftLedger.open({ store, genesis, validators, validatorKey: null, outlets }));
  return {
    machine,
    report: () => machine.report(),
    dump: () => machine.snapshotText(),
    get: (key) => store.get(legacyValueKey(key)),
    resultOf: answerOf,
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
      if (outcome !== undefined && refusalOf(outcome) !== null) this.malformed++;
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

  /** `hash` and `size`: of the map alone, at BASE and behind it too. `height`: of the last block. */
  async report(): Promise<MachineReport & { readonly height: number | null; readonly stateRoot: string | null }> {
    const { count, last, malformed, restores } = this;
    const { stateRoot } = this.#ledger;
    const height = this.#ledger.ledger?.machine.head.height ?? null;
    const values = new Map<string, Uint8Array>();
    const note = (parts: ReturnType<SnapshotText['push']>): void => {
      for (const part of parts) if (part.kind === 'value') values.set(part.key, part.value);
    };
    const text = new SnapshotText();
    if (!this.#ledger.isRestoring) {
      for await (const piece of await this.#ledger.snapshot()) note(text.push(piece));
      note(text.end());
    }
    const hash = createHash('sha256').update('{');
    for (const [place, [key, value]] of inGoOrder(values).entries()) hash.update(legacyMember(key, value, place === 0));
    const map = { size: values.size, hash: hash.update(utf8('}')).digest('hex') };
    return { count, last, malformed, restores, height, stateRoot, ...map };
  }
}

function refusalOf(outcome: LedgerOutcome): string | null {
  return outcome.kind === 'block' || outcome.kind === 'value' ? (outcome.refusal?.code ?? null) : null;
}

/** As the Go server answers: null, or why a command changed nothing. */
function answerOf(outcome: LedgerOutcome): unknown {
  const refusal = refusalOf(outcome);
  if (refusal !== null) return { malformed: refusal };
  return outcome.kind === 'block' || outcome.kind === 'base'
    ? { height: outcome.committed.block.header.height, events: outcome.committed.block.events.length }
    : null;
}
