/**
 * Hostile input out of valid encodings: some changes one after the other, chosen by fast-check, so that a failure shrinks
 * to the fewest and reproduces by its seed.
 */
import fc from 'fast-check';
import { textFromUtf8 } from '../../src/base/bytes.ts';
import { byteMutations, type Change, type MutationInput } from './byte-mutations.ts';
import { jsonMutations, mutateJson } from './json-mutations.ts';
import { mutateMessagepack, nodeMutations, pick } from './messagepack-mutations.ts';
import { parseTree } from './messagepack-tree.ts';

/** What structure the changes know. `text`: none, but what comes out is UTF-8 for the most part. */
export type Format = 'messagepack' | 'json' | 'bytes';

export interface Mutant {
  readonly bytes: Uint8Array;
  /** What was done, for people. */
  readonly changes: readonly string[];
}

const BYTES = Object.entries(byteMutations);
const NODES = Object.entries(nodeMutations);
const JSONS = Object.entries(jsonMutations);

/** A change at random positions mostly, and often at small ones, where there is much to choose. */
const change: fc.Arbitrary<Change> = fc.record({ kind: fc.nat(999), at: fc.nat(99_999), by: fc.nat(9_999) });

export interface MutationChoice {
  readonly first: number;
  readonly second: number;
  readonly changes: readonly Change[];
}

/** Without any change too: valid encodings must be accepted, and hold to the same laws. */
export const mutationChoice: fc.Arbitrary<MutationChoice> = fc.record({
  first: fc.nat(9_999),
  second: fc.nat(9_999),
  changes: fc.array(change, { maxLength: 3 }),
});

/** @param samples valid encodings, at least one */
export function mutantOf(
  samples: readonly Uint8Array[],
  { first, second, changes }: MutationChoice,
  format: Format,
  maxBytes: number,
): Mutant {
  let bytes = pick(samples, first);
  const other = pick(samples, second);
  const names: string[] = [];
  for (const step of changes) {
    const [name, changed] = mutate({ bytes, other, maxBytes }, format, step);
    names.push(name);
    bytes = changed;
  }
  return { bytes, changes: names };
}

/** A third of the changes know nothing of the structure. */
function mutate(input: MutationInput, format: Format, step: Change): readonly [string, Uint8Array] {
  if (format === 'bytes' || step.kind % 3 === 0) return mutateBytes(input, step);
  return (format === 'json' ? mutateText(input, step) : mutateTuple(input, step)) ?? mutateBytes(input, step);
}

function mutateBytes(input: MutationInput, step: Change): readonly [string, Uint8Array] {
  const [name, mutation] = pick(BYTES, Math.floor(step.kind / 3));
  return [name, mutation(input, step)];
}

function mutateText({ bytes, other }: MutationInput, step: Change): readonly [string, Uint8Array] | undefined {
  const [name, mutation] = pick(JSONS, Math.floor(step.kind / 3));
  const [text, otherText] = [textOf(bytes), textOf(other)];
  if (text === undefined || otherText === undefined) return undefined;
  const changed = mutateJson(text, otherText, mutation, step);
  return changed === undefined ? undefined : [`${name} (JSON)`, new TextEncoder().encode(changed)];
}

function mutateTuple(input: MutationInput, step: Change): readonly [string, Uint8Array] {
  const [name, mutation] = pick(NODES, Math.floor(step.kind / 3));
  let within = '';
  const changed = mutateMessagepack(input, mutation, step, (content, otherContent) => {
    // Every other time the field itself is changed, not what is in it.
    const format = step.by % 2 === 0 ? formatOf(content) : undefined;
    if (format === undefined) return undefined;
    const deeper = { kind: step.kind * 7 + 1, at: step.at >> 3, by: step.by >> 1 };
    const inside = { ...input, bytes: content, other: otherContent };
    const [inner, innerBytes] = mutate(inside, format, deeper);
    within = `within a field: ${inner}`;
    return innerBytes;
  });
  return [within === '' ? name : within, changed];
}

/** What the bytes in a field are an encoding of. */
function formatOf(content: Uint8Array): Format | undefined {
  if (content[0] === 0x7b) return 'json';
  return parseTree(content)?.kind === 'array' ? 'messagepack' : undefined;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return textFromUtf8(bytes);
  } catch {
    return undefined;
  }
}
