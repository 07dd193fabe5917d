/**
 * `/masa/data-submission/1.0.0`, two forms on one protocol, told apart by the first byte.
 *
 * JSON: one JSON object and end of write in; `"ACK"` or `{"error":{"code":...,"message":...}}` and end of write out.
 *
 * Binary: length-prefixed frames both ways over a long-lived stream, whose first byte is zero, as a frame's length is
 * below 2^24. Each request is a batch of signed events with a number of the client's choice; its answer repeats the
 * number and has one entry an event. Answers come in the order in which batches are done.
 */
import { bytes, codec, list, nullable, oneOf, struct, uint, union, type Codec } from '../base/codec.ts';
import type { Refusal } from '../base/result.ts';
import { refusalShape } from './wire-refusal.ts';

export const SUBMISSION_PROTOCOL = '/masa/data-submission/1.0.0';

/** What a submitter waits for: the block that holds the event is final, or only that the event may enter one. */
export type Acknowledge = 'committed' | 'accepted';

export type Submission =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'binary'; readonly events: readonly Uint8Array[]; readonly acknowledge: Acknowledge };

/** One an event, in their order. `height` is null where only acceptance was asked for. */
export type SubmissionAnswer =
  | { readonly kind: 'acknowledged'; readonly height: number | null }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface SubmissionRequest {
  readonly number: number;
  readonly acknowledge: Acknowledge;
  readonly events: readonly Uint8Array[];
}

export type SubmissionReply =
  | { readonly kind: 'answers'; readonly number: number; readonly answers: readonly SubmissionAnswer[] }
  /** The whole batch was refused; without a number, the stream was, and it ends. */
  | { readonly kind: 'refused'; readonly number: number | null; readonly refusal: Refusal };

export const MAX_BATCH_EVENTS = 1024;
export const MAX_SUBMISSION_FRAME_BYTES = 1 << 20;
const MAX_NUMBER = 0xffff_ffff;

/** An event is at most 8 KiB and its signature small; the ledger refuses by its own bound, with its own code. */
const MAX_EVENT_BYTES = 16 << 10;

export const submissionRequestCodec: Codec<SubmissionRequest> = codec(
  struct<SubmissionRequest>({
    number: uint(MAX_NUMBER),
    acknowledge: oneOf(['committed', 'accepted']),
    events: list(bytes(MAX_EVENT_BYTES), MAX_BATCH_EVENTS),
  }),
  MAX_SUBMISSION_FRAME_BYTES,
);

const answerShape = union<SubmissionAnswer>({
  acknowledged: struct({ height: nullable(uint()) }),
  refused: struct({ refusal: refusalShape }),
});

export const submissionReplyCodec: Codec<SubmissionReply> = codec(
  union<SubmissionReply>({
    answers: struct({ number: uint(MAX_NUMBER), answers: list(answerShape, MAX_BATCH_EVENTS) }),
    refused: struct({ number: nullable(uint(MAX_NUMBER)), refusal: refusalShape }),
  }),
  MAX_SUBMISSION_FRAME_BYTES,
);
