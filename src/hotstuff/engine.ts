/**
 * Chained HotStuff as one synchronous state machine: the composition of its parts, and nothing else.
 */
import type { Effect, Engine, EngineStatus, Input, ValidatorIndex } from '../consensus/engine.ts';
import type { Refusal } from '../base/result.ts';
import type { Block } from '../ledger/block.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import type { EpochContext, VerifiedCertificate } from '../qc/certificate.ts';
import type { CollectJob, CollectOutcome } from '../qc/collect.ts';
import type { AdmissionView } from './admission.ts';
import type { AdmittedMessage, ExecutableBlock, HotstuffMessage } from './messages.ts';
import type { SafetyRecord } from './safety-record.ts';

/** Every duration in milliseconds of the node's clock. */
export interface Pacing {
  /** How long a round may take before it is given up, with no failed round before it. */
  readonly baseTimeoutMs: number;
  /** How long a validator that holds a quorum of votes waits for the next leader to use them. */
  readonly backupDelayMs: number;
}

export interface RestoredBlock extends ExecutableBlock {
  readonly justify: VerifiedCertificate;
}

export interface HotstuffOptions {
  readonly context: EpochContext;
  readonly self: ValidatorIndex;
  readonly commitDepth: 2 | 3;
  /** At the state of `head`. */
  readonly machine: LedgerMachine;
  /** The last committed block, or genesis. */
  readonly head: Block;
  /** Null when it is missing on disk though it should be there: the engine then follows, and never signs. */
  readonly record: SafetyRecord | null;
  /** From disk, in any order; those that lead nowhere are forgotten. */
  readonly uncommitted: readonly RestoredBlock[];
  /** Why this validator must not sign, as the shell knows it (a restored directory), or null. */
  readonly silence: Refusal | null;
  readonly pacing: Pacing;
}

export class HotstuffEngine implements Engine<AdmittedMessage, CollectJob, CollectOutcome, HotstuffMessage> {
  constructor(options: HotstuffOptions) {
    throw new Error(`unfinished ${options.self}`);
  }

  step(input: Input<AdmittedMessage, CollectOutcome>, nowMs: number): readonly Effect<HotstuffMessage, CollectJob>[] {
    throw new Error(`unfinished ${input.kind} ${nowMs}`);
  }

  status(): EngineStatus {
    throw new Error('unfinished');
  }

  wakeAtMs(): number | undefined {
    throw new Error('unfinished');
  }

  /** What admission may know of this engine now. */
  admissionView(): AdmissionView {
    throw new Error('unfinished');
  }
}
