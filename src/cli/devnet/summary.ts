/** The end of a devnet run as facts, and the verdict over them: a pure function. */
import type { AdversaryCounts } from './adversaries.ts';
import type { StakeCounts } from './stakes.ts';
import type { Percentiles } from './latency.ts';

export interface ProcessSummary {
  readonly name: string;
  readonly role: 'validator' | 'observer';
  readonly peerId: string;
  /** null: it did not answer at the end. */
  readonly height: number | null;
  readonly stateRoot: string | null;
  readonly rssBytes: number | null;
}

/** An event that was acknowledged, whose node's record does not show it. */
export interface MissingEvent {
  readonly peerId: string;
  readonly acknowledgedSeq: number;
  /** The last one that the verified record holds; null: no record. */
  readonly recordSeq: number | null;
}

export interface DevnetFacts {
  readonly chainId: string;
  readonly durationSeconds: number;
  readonly processes: readonly ProcessSummary[];
  readonly events: {
    readonly submitted: number;
    readonly acknowledged: number;
    /** Committed by the network in this run, whoever sent them: the population, or validators that stake. */
    readonly committed: number;
    readonly refused: number;
    /** How often each code refused one. */
    readonly refusedBy: Readonly<Record<string, number>>;
    /** No answer came: neither acknowledged nor refused. */
    readonly unanswered: number;
  };
  /** Decisions of the validators that a node is staked, in three events each, counted apart from `events`. */
  readonly stakes: StakeCounts & {
    /** Nodes whose stake was decided, and whose verified record does not show it. */
    readonly missing: number;
  };
  /** Hostile nodes, counted apart from `events`. */
  readonly adversaries: AdversaryCounts & {
    /** How many of them have a record at the end, although nothing that they sent was valid. */
    readonly records: number;
  };
  readonly latencyMs: Percentiles | null;
  readonly reads: { readonly ok: number; readonly failed: number; readonly firstFailure: string | null };
  readonly missing: readonly MissingEvent[];
  /** Nodes whose acknowledged events could not be looked for. */
  readonly unchecked: number;
}

export interface DevnetSummary extends DevnetFacts {
  readonly ok: boolean;
  /** The height at which all processes ended, or null when they differ. */
  readonly commonHeight: number | null;
  /** Why it is not ok, each a sentence. */
  readonly problems: readonly string[];
}

export function summarize(facts: DevnetFacts): DevnetSummary {
  const heights = new Set(facts.processes.map(({ height }) => height));
  const roots = new Set(facts.processes.map(({ stateRoot }) => stateRoot));
  const silent = facts.processes.filter(({ height }) => height === null).map(({ name }) => name);
  const commonHeight = heights.size === 1 ? (facts.processes[0]?.height ?? null) : null;
  const { accepted, records } = facts.adversaries;
  const problems = [
    ...(silent.length > 0 ? [`no answer from ${silent.join(', ')}`] : []),
    ...(silent.length === 0 && commonHeight === null ? [`heights differ: ${[...heights].join(', ')}`] : []),
    ...(commonHeight !== null && roots.size > 1 ? [`state roots differ at height ${commonHeight}`] : []),
    ...(facts.missing.length > 0 ? [`${facts.missing.length} nodes miss an acknowledged event`] : []),
    ...(facts.stakes.missing > 0 ? [`${facts.stakes.missing} nodes miss a stake that was decided`] : []),
    ...(facts.unchecked > 0 ? [`${facts.unchecked} nodes could not be checked for acknowledged events`] : []),
    ...(facts.reads.failed > 0
      ? [`${facts.reads.failed} verified reads failed, the first with ${facts.reads.firstFailure}`]
      : []),
    ...(accepted.length > 0 ? [`${accepted.length} forgeries were acknowledged: ${accepted.join(', ')}`] : []),
    ...(records > 0 ? [`${records} adversaries have a record`] : []),
    ...(facts.events.submitted > 0 && facts.events.acknowledged === 0 ? ['nothing was acknowledged'] : []),
  ];
  return { ...facts, ok: problems.length === 0, commonHeight, problems };
}
