/** All that is fuzzed, by name. */
import { admissions } from './admissions.ts';
import { runningEngines } from './running-engines.ts';
import { decoders } from './table.ts';
import { decoderTarget, type Target } from './target.ts';
import { dhtRecords, verifiedReads } from './verified-reads.ts';

/** Beyond single decoders. */
export const systems: readonly Target[] = [verifiedReads, dhtRecords, admissions, runningEngines];

export const targets: readonly Target[] = [...decoders.map(decoderTarget), ...systems];
