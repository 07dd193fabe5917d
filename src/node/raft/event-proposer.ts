/**
 * Events on their way into the Raft log: what was admitted together goes into one command (group commit), and what comes
 * while commands are under way into the next one.
 */
import { assert } from '../../base/assert.ts';
import type { Hash } from '../../base/hash.ts';
import { ok, type Refusal, type Result } from '../../base/result.ts';
import { COMMAND_OVERHEAD_BYTES, commandBytesOf, encodeEventsCommand } from '../../ledger/raft-command.ts';
import type { VerifiedEvent } from '../../ledger/verified-event.ts';
import { busy } from '../submissions.ts';
import type { LedgerOutcome } from './ledger-outcome.ts';
import type { Settle } from './proposals.ts';

export interface EventProposerOptions {
  /** As `RaftServer.proposeWith`. */
  readonly propose: (data: Uint8Array, settle: Settle<LedgerOutcome>) => void;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  readonly limits: ProposerLimits;
  /**
   * The event will not be in a block by what was proposed; `already-applied`: it is in one. `leadership-lost`: nobody knows
   * yet. Those that are in a block are told by their block.
   */
  readonly rejected: (event: Hash, refusal: Refusal) => void;
}

export interface ProposerLimits {
  readonly maxEventsPerCommand: number;
  /** Of the encoded command: `MAX_COMMAND_BYTES` at most. */
  readonly maxBytesPerCommand: number;
  /** Commands that are proposed and not applied. */
  readonly maxCommandsInFlight: number;
  /** Events that wait for a command. */
  readonly maxWaitingEvents: number;
}

export const DEFAULT_PROPOSER_LIMITS: ProposerLimits = {
  maxEventsPerCommand: 512,
  maxBytesPerCommand: 256 * 1024,
  maxCommandsInFlight: 2,
  maxWaitingEvents: 16_384,
};

export class EventProposer {
  readonly #options: EventProposerOptions;
  #waiting: VerifiedEvent[] = [];
  #inFlight = 0;
  #isScheduled = false;

  constructor(options: EventProposerOptions) {
    this.#options = options;
  }

  /** All that is admitted in one tick may go together. Refusal: `busy`. */
  admit(event: VerifiedEvent): Result<void> {
    if (this.#waiting.length >= this.#options.limits.maxWaitingEvents) return busy(this.#waiting.length);
    this.#waiting.push(event);
    this.#schedule();
    return ok(undefined);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= this.#options.limits.maxCommandsInFlight) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#waiting.length > 0 && this.#inFlight < this.#options.limits.maxCommandsInFlight) this.#proposeNext();
    });
  }

  #proposeNext(): void {
    const { nowMs, propose } = this.#options;
    const events = this.#take();
    const timeSeconds = Math.floor(nowMs() / 1000);
    this.#inFlight++;
    propose(encodeEventsCommand({ timeSeconds, events: events.map(({ bytes }) => bytes) }), (outcome) => {
      this.#inFlight--;
      this.#answer(events, outcome);
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  /** In the order in which they came, as many as a command may hold: one at least. */
  #take(): readonly VerifiedEvent[] {
    const { maxBytesPerCommand, maxEventsPerCommand } = this.#options.limits;
    let bytes = COMMAND_OVERHEAD_BYTES;
    let count = 0;
    for (const event of this.#waiting.slice(0, maxEventsPerCommand)) {
      bytes += commandBytesOf(event);
      if (count > 0 && bytes > maxBytesPerCommand) break;
      count++;
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return taken;
  }

  #answer(events: readonly VerifiedEvent[], settled: Parameters<Settle<LedgerOutcome>>[0]): void {
    const { rejected } = this.#options;
    const rejectAll = (refusal: Refusal): void => {
      for (const { id } of events) rejected(id, refusal);
    };
    if (!settled.ok) return rejectAll(settled.refusal);
    const { outcome } = settled.value;
    assert(outcome.kind === 'block' || outcome.kind === 'value', 'a command has the outcome of one', {
      kind: outcome.kind,
    });
    if (outcome.refusal !== null) return rejectAll(outcome.refusal);
    if (outcome.kind === 'value') return;
    for (const [place, { refusal }] of outcome.events.entries()) {
      const event = events[place];
      if (refusal !== null && event !== undefined) rejected(event.id, refusal);
    }
  }
}
