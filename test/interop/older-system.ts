/** The ledger as Go's `-fsm kv` reports of itself: what both hold of the older system's map, and how it came about. */
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
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

/** Of the genesis that tests share. */
export async function ledgerPeer(store: Store): Promise<PeerMachine<LedgerOutcome>> {
  const { genesis, validators } = new Cluster();
  const nothing = () => Promise.resolve();
  const outlets = { committed: () => undefined, replacing: nothing, replaced: nothing };
  const machine = new OlderSystemLedger(
    await RaftLedger.open({ store, genesis, validators, validatorKey: null, outlets }),
  );
  return {
    machine,
    report: () => machine.report(),
    get: (key) => store.get(legacyValueKey(key)),
    dump: async () => (await machine.map())?.bytes,
    resultOf: answerOf,
  };
}

class OlderSystemLedger implements StateMachine<LedgerOutcome> {
  readonly #ledger: RaftLedger;
  #count = 0;
  #malformed = 0;
  #last = 0;
  #restores = 0;

  constructor(ledger: RaftLedger) {
    this.#ledger = ledger;
  }

  apply(entries: readonly Entry[]): Application<LedgerOutcome> {
    const application = this.#ledger.apply(entries);
    for (const [place, { index, type }] of entries.entries()) {
      if (type !== ENTRY_TYPES.command) continue;
      this.#count++;
      this.#last = index;
      if (refusalOf(application.outcomes[place] as LedgerOutcome) !== null) this.#malformed++;
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
    this.#restores++;
    this.#last = 0;
  }

  /** `hash` and `size`: of the map alone, at BASE and behind it too. `height`: of the last block. */
  async report(): Promise<MachineReport & { readonly height: number | null; readonly stateRoot: string | null }> {
    const { stateRoot } = this.#ledger;
    const height = this.#ledger.ledger?.machine.head.height ?? null;
    const [count, last, malformed, restores] = [this.#count, this.#last, this.#malformed, this.#restores];
    const map = await this.map();
    return {
      ...{ count, last, malformed, restores, height, stateRoot },
      size: map?.size ?? 0,
      hash: map === undefined ? '' : sha256Hex(map.bytes),
    };
  }

  /** The map as Go would write it, taken out of what this member would send; undefined while it is replaced. */
  async map(): Promise<{ readonly size: number; readonly bytes: Uint8Array } | undefined> {
    if (this.#ledger.isRestoring) return undefined;
    const values = new Map<string, Uint8Array>();
    const text = new SnapshotText();
    const note = (parts: ReturnType<SnapshotText['push']>): void => {
      for (const part of parts) if (part.kind === 'value') values.set(part.key, part.value);
    };
    for await (const piece of await this.#ledger.snapshot()) note(text.push(piece));
    note(text.end());
    const members = inGoOrder(values).map(([key, value], place) => legacyMember(key, value, place === 0));
    return { size: values.size, bytes: concatBytes(utf8('{'), ...members, utf8('}')) };
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
