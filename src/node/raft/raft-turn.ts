/**
 * What a turn of the Raft engine comes to: what promises nothing happens at once, one batch is written, and behind it what
 * waits for the disk, in the order in which the engine asked for it.
 */
import type { Refusal } from '../../base/result.ts';
import type { Leader, RaftEffect, SnapshotMeta } from '../../raft/contract.ts';
import type { LoggedConfiguration, RaftResponse, ServerId } from '../../raft/messages.ts';
import type { StoreOperation } from '../../store/store.ts';
import type { Plan } from '../loop.ts';
import type { PersistEffect } from './log-store.ts';

type EffectOf<K extends RaftEffect['kind']> = Extract<RaftEffect, { kind: K }>;

/** Where effects go. Every method returns at once. */
export interface RaftOutlets {
  persistOps(persist: PersistEffect): readonly StoreOperation[];
  /** Every persist up to this number is durable. */
  persisted(persist: number): void;
  call(call: EffectOf<'call'>): void;
  answer(ask: number, response: RaftResponse): void;
  commit(index: number): void;
  restore(ask: number, snapshot: SnapshotMeta): void;
  compact(upTo: number): void;
  proposed(number: number, index: number, term: number): void;
  refusedProposal(number: number, refusal: Refusal): void;
  settled(request: number, index: number): void;
  unsettled(request: number, refusal: Refusal): void;
  readReady(request: number, index: number): void;
  leaderChanged(leader: Leader | null, term: number, isSelf: boolean): void;
  configurationChanged(latest: LoggedConfiguration, isCommitted: boolean): void;
  refused(from: ServerId | null, refusal: Refusal): void;
}

/** For `LoopOptions.plan`. */
export function raftPlanner(outlets: RaftOutlets): (effects: readonly RaftEffect[]) => Plan {
  return (effects) => new RaftPlan(effects, outlets);
}

class RaftPlan implements Plan {
  readonly operations: readonly StoreOperation[];
  readonly #outlets: RaftOutlets;
  readonly #atOnce: RaftEffect[] = [];
  readonly #durable: (EffectOf<'call'> | EffectOf<'answer'>)[] = [];
  readonly #lastPersist: number = 0;

  constructor(effects: readonly RaftEffect[], outlets: RaftOutlets) {
    this.#outlets = outlets;
    let operations: readonly StoreOperation[] = [];
    for (const effect of effects) {
      if (effect.kind === 'persist') {
        const more = outlets.persistOps(effect);
        operations = operations.length === 0 ? more : [...operations, ...more];
        this.#lastPersist = effect.persist;
      } else if ((effect.kind === 'call' || effect.kind === 'answer') && effect.when === 'durable') {
        this.#durable.push(effect);
      } else {
        this.#atOnce.push(effect);
      }
    }
    this.operations = operations;
  }

  meanwhile(): void {
    for (const effect of this.#atOnce) perform(effect, this.#outlets);
  }

  onceDurable(): void {
    for (const effect of this.#durable) perform(effect, this.#outlets);
    if (this.#lastPersist > 0) this.#outlets.persisted(this.#lastPersist);
  }
}

function perform(effect: RaftEffect, outlets: RaftOutlets): void {
  switch (effect.kind) {
    case 'call':
      return outlets.call(effect);
    case 'answer':
      return outlets.answer(effect.ask, effect.response);
    case 'commit':
      return outlets.commit(effect.index);
    case 'restore':
      return outlets.restore(effect.ask, effect.snapshot);
    case 'compact':
      return outlets.compact(effect.upTo);
    case 'proposed':
      return outlets.proposed(effect.number, effect.index, effect.term);
    case 'refusedProposal':
      return outlets.refusedProposal(effect.number, effect.refusal);
    case 'settled':
      return outlets.settled(effect.request, effect.index);
    case 'unsettled':
      return outlets.unsettled(effect.request, effect.refusal);
    case 'readReady':
      return outlets.readReady(effect.request, effect.index);
    case 'leaderChanged':
      return outlets.leaderChanged(effect.leader, effect.term, effect.isSelf);
    case 'configurationChanged':
      return outlets.configurationChanged(effect.latest, effect.isCommitted);
    case 'refused':
      return outlets.refused(effect.from, effect.refusal);
    case 'persist':
      throw new TypeError('a persist is part of the batch');
  }
}
