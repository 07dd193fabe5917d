/** One decoder, many inputs, one seed. */
import fc from 'fast-check';
import type { Decoder, Verdict } from './decoder.ts';
import { checkLaws, LawBroken } from './laws.ts';
import { mutantOf, mutationChoice } from './mutation.ts';

export interface Batch {
  readonly seed: number;
  readonly runs: number;
}

export interface Tally {
  readonly cases: number;
  readonly accepted: number;
  readonly refused: number;
}

/** What a target was found to break, with all that a person needs to see it again. */
export class FuzzFailure extends Error {}

/** @throws FuzzFailure with the smallest input that was found */
export function fuzzDecoder(decoder: Decoder, { seed, runs }: Batch): Tally {
  const samples = decoder.samples();
  const counts: Record<Verdict['kind'], number> = { accepted: 0, refused: 0 };
  const known = new Map<string, string>();
  const property = fc.property(mutationChoice, (choice) => {
    const mutant = mutantOf(samples, choice, decoder.format, decoder.maxBytes);
    try {
      counts[checkLaws(decoder, mutant.bytes, known)]++;
    } catch (error) {
      const what = mutant.changes.length === 0 ? 'as it was' : mutant.changes.join(', then ');
      const reason = error instanceof LawBroken ? error : new LawBroken(thrown(error), mutant.bytes);
      throw new FuzzFailure(`${reason.message}\na valid encoding, ${what}`, { cause: error });
    }
  });
  const details = fc.check(property, { seed, numRuns: runs });
  if (details.failed) throw failureOf(decoder.name, { seed, runs }, details.errorInstance);
  return { cases: runs, accepted: counts.accepted, refused: counts.refused };
}

export function failureOf(name: string, { seed, runs }: Batch, error: unknown): FuzzFailure {
  const again = `npm run fuzz -- --only '${name}' --seed ${seed} --runs ${runs}`;
  return new FuzzFailure(`${name}: ${error instanceof Error ? error.message : String(error)}\nagain: ${again}`, {
    cause: error,
  });
}

function thrown(error: unknown): string {
  return `nothing is thrown, but ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
