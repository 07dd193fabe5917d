/**
 * Raft as one synchronous state machine: the composition of its parts.
 *
 * A step takes one input and then does everything that has become possible: what a majority holds is committed, what was
 * proposed is sent, who has waited long enough stands for election. So all that came in one input leaves in one go, and
 * the handlers of inputs change what is known and nothing else.
 */
import { unreachable } from '../base/assert.ts';
import { advance, wakeAtMs } from './advancing.ts';
import type { RaftEffect, RaftEngineContract, RaftInput, RaftOptions, RaftStatus } from './contract.ts';
import { changeConfiguration } from './membership-change.ts';
import type { Entry } from './messages.ts';
import { newServer } from './new-server.ts';
import { propose } from './proposing.ts';
import { requestReadIndex } from './reading.ts';
import { answered, asked, callFailed, persisted, started } from './receiving.ts';
import type { RaftServer } from './server.ts';
import { otherHistory } from './obeying.ts';
import { restored, restoreFailed, snapshotTaken } from './snapshots.ts';
import { statusOf } from './status.ts';
import { transferLeadership } from './transfer.ts';
import { Turn } from './turn.ts';

export class RaftEngine implements RaftEngineContract {
  readonly #server: RaftServer;
  /** Who led in which term, as was last told. */
  #told: { readonly leader: string | null; readonly term: number } = { leader: null, term: 0 };

  constructor(options: RaftOptions) {
    this.#server = newServer(options);
  }

  step(input: RaftInput, nowMs: number): readonly RaftEffect[] {
    const server = this.#server;
    server.nowMs = Math.max(server.nowMs, nowMs);
    const turn = new Turn();
    server.turn = turn;
    this.#take(input);
    advance(server);
    this.#tellLeader();
    if (!turn.persists) return turn.effects(0);
    return turn.effects(server.writes.start(server.log.lastIndex, turn.changesHardState, server.nowMs));
  }

  status(): RaftStatus {
    return statusOf(this.#server);
  }

  wakeAtMs(): number | undefined {
    return wakeAtMs(this.#server);
  }

  entry(index: number): Entry | undefined {
    return this.#server.log.entry(index);
  }

  #take(input: RaftInput): void {
    const server = this.#server;
    switch (input.kind) {
      case 'started':
        return started(server);
      case 'tick':
        return;
      case 'asked':
        return asked(server, input, input.request);
      case 'answered':
        return answered(server, input.call, input.response);
      case 'callFailed':
        return callFailed(server, input.call, input.failure);
      case 'persisted':
        return persisted(server, input.persist);
      case 'applied':
        server.appliedIndex = Math.max(server.appliedIndex, input.index);
        return;
      case 'propose':
        return propose(server, input.proposals);
      case 'changeConfiguration':
        return changeConfiguration(server, input.request, input.change);
      case 'transferLeadership':
        return transferLeadership(server, input.request, input.to);
      case 'readIndex':
        return requestReadIndex(server, input.request);
      case 'snapshotTaken':
        return snapshotTaken(server, input.snapshot);
      case 'restored':
        return restored(server, input.snapshot);
      case 'restoreFailed':
        return restoreFailed(server, input.ask, input.refusal);
      case 'foreignHistory':
        return otherHistory(server, input.refusal);
      default:
        return unreachable(input);
    }
  }

  #tellLeader(): void {
    const { leader, hardState, turn, self } = this.#server;
    const id = leader?.id ?? null;
    const { term } = hardState;
    if (id === this.#told.leader && (id === null || term === this.#told.term)) return;
    this.#told = { leader: id, term };
    turn.tell({ kind: 'leaderChanged', leader, term, isSelf: id === self.id });
  }
}
