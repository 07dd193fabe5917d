/** What `npm run fuzz` and the tests turn to: something that is shown hostile input, in batches by seed. */
import fc from 'fast-check';
import type { Decoder } from './decoder.ts';
import { failureOf, fuzzDecoder, FuzzFailure, type Batch, type Tally } from './run.ts';

export interface Target {
  readonly name: string;
  /** How many inputs of it cost about what a thousand of a decoder cost. */
  readonly runsPerBatch: number;
  /** @throws FuzzFailure */
  readonly run: (batch: Batch) => Promise<Tally>;
}

export function decoderTarget(decoder: Decoder): Target {
  return { name: decoder.name, runsPerBatch: 1000, run: (batch) => Promise.resolve(fuzzDecoder(decoder, batch)) };
}

/**
 * @param show whether the input was accepted
 * @throws what it finds broken
 */
export function propertyTarget<T>(
  name: string,
  runsPerBatch: number,
  input: fc.Arbitrary<T>,
  show: (input: T) => Promise<boolean> | boolean,
): Target {
  return {
    name,
    runsPerBatch,
    async run(batch) {
      let accepted = 0;
      const property = fc.asyncProperty(input, async (each) => {
        if (await show(each)) accepted++;
      });
      const details = await fc.check(property, { seed: batch.seed, numRuns: batch.runs });
      if (details.failed) throw failureOf(name, batch, details.errorInstance ?? new FuzzFailure('interrupted'));
      return { cases: batch.runs, accepted, refused: batch.runs - accepted };
    },
  };
}
