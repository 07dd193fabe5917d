/** One entry of the table of decoders: what decodes bytes from outside, and what must hold of it. */
import { CodedError, type Refusal, type Result } from '../../src/base/result.ts';
import type { Codec } from '../../src/base/codec.ts';
import type { Format } from './mutation.ts';

export interface DecoderOptions<T> {
  /** What it decodes, in words. */
  readonly name: string;
  /** `file#export` below `src/`, of what is decoded with here. */
  readonly covers: readonly string[];
  readonly format: Format;
  /** The largest input that it takes. */
  readonly maxBytes: number;
  /** Whoever calls it has bounded the input, so that it may take larger ones. */
  readonly isBoundedByCaller?: true;
  /** Valid encodings. */
  readonly samples: () => readonly Uint8Array[];
  /** May throw a `CodedError`, where its callers are told so. */
  readonly decode: (bytes: Uint8Array) => Result<T>;
  /**
   * The one encoding of a value: what was accepted must be it. `one-to-one`: there is no encoder, but no two inputs may
   * have the same value. `null`: many texts have one meaning, as in a file that people write.
   */
  readonly encode: ((value: T) => Uint8Array) | 'one-to-one' | null;
  /** What else must hold of an accepted value. @throws when it does not */
  readonly check?: (value: T, bytes: Uint8Array) => void;
}

export type Verdict =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'accepted'; readonly value: unknown; readonly again: Uint8Array | null };

export interface Decoder extends Pick<DecoderOptions<unknown>, 'covers' | 'format' | 'maxBytes' | 'name' | 'samples'> {
  readonly isOneToOne: boolean;
  readonly isBounded: boolean;
  /** @throws what the decoder throws beside coded errors, and what its check throws */
  readonly judge: (bytes: Uint8Array) => Verdict;
}

export function decoder<T>(options: DecoderOptions<T>): Decoder {
  const { check, covers, decode, encode, format, maxBytes, name, samples } = options;
  return {
    ...{ name, covers, format, maxBytes, samples },
    isOneToOne: encode === 'one-to-one',
    isBounded: options.isBoundedByCaller !== true,
    judge(bytes) {
      const result = attempt(() => decode(bytes));
      if (!result.ok) return { kind: 'refused', refusal: result.refusal };
      check?.(result.value, bytes);
      return {
        kind: 'accepted',
        value: result.value,
        again: typeof encode === 'function' ? encode(result.value) : null,
      };
    },
  };
}

/** A codec of its own, with some of its values. */
export function codecDecoder<T>(
  name: string,
  covers: string,
  codec: Codec<T>,
  samples: () => readonly (NoInfer<T> | Uint8Array)[],
): Decoder {
  return decoder({
    name,
    covers: [covers],
    format: 'messagepack',
    maxBytes: codec.maxBytes,
    samples: () => samples().map((sample) => (sample instanceof Uint8Array ? sample : codec.encode(sample))),
    decode: (bytes) => codec.decode(bytes),
    encode: (value) => codec.encode(value),
  });
}

function attempt<T>(decode: () => Result<T>): Result<T> {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodedError) return { ok: false, refusal: error };
    throw error;
  }
}
