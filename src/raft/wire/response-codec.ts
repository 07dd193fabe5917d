/** Responses: the text of an error, empty where there is none, and then the struct or nil, two values of MessagePack. */
import { type Result } from '../../base/result.ts';
import type { Claim, RaftResponse } from '../messages.ts';
import { decodeWith } from './configuration-codec.ts';
import type { Dialect } from './dialect.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from './limits.ts';
import { WireWriter } from './msgpack-writer.ts';
import { claimOf, type RequestKind } from './request-codec.ts';
import { readStruct, RESPONSES, structBytes, writeStruct, type Fields } from './structs.ts';

/** A response as it travels. */
export interface WireResponse {
  /** Empty where there is none. */
  readonly error: string;
  /** Null mostly where there is an error; Go sends a struct beside some. */
  readonly response: RaftResponse | null;
  readonly protocolVersion: number;
  /** Whose response it says it is. */
  readonly sender: Claim;
  /** The voters' addresses, which protocol versions 0 and 1 send with a vote. */
  readonly peers: Uint8Array | null;
}

export function encodeResponse(answer: WireResponse, dialect: Dialect): Uint8Array {
  const { error, response } = answer;
  if (response === null) return encodeError(error);
  const fields = fieldsOf(answer, response);
  const to = new WireWriter(structBytes(fields) + error.length);
  to.text(error);
  writeStruct(to, RESPONSES[response.kind], fields, dialect);
  return to.finish();
}

/** A refusal, as Go answers a request whose protocol version it does not speak: the connection stays of use. */
export function encodeError(error: string): Uint8Array {
  const to = new WireWriter(16 + error.length);
  to.text(error);
  to.nil();
  return to.finish();
}

/**
 * Both values, one behind the other.
 *
 * @param kind of the request: a response does not say
 * Refusals: `undecodable`, `raft-number-range`, `raft-limit-exceeded`, `too-large`
 */
export function decodeResponse(
  kind: RequestKind,
  bytes: Uint8Array,
  limits: WireLimits = DEFAULT_WIRE_LIMITS,
): Result<WireResponse> {
  return decodeWith(bytes, limits, (from) => {
    const error = from.text();
    if (from.nil()) {
      const response = error === '' ? responseOf(kind, ZERO_RESPONSE) : null;
      return { error, response, protocolVersion: 0, sender: { id: null, address: null }, peers: null };
    }
    const fields = readStruct(from, RESPONSES[kind]);
    return {
      ...{ error, response: responseOf(kind, fields), protocolVersion: fields.ProtocolVersion },
      ...{ sender: claimOf(fields), peers: fields.Peers },
    };
  });
}

type Answered = Pick<Fields, 'Term' | 'LastLog' | 'Success' | 'NoRetryBackoff' | 'Granted'>;

/** What Go reads from nil. */
const ZERO_RESPONSE: Answered = { Term: 0, LastLog: 0, Success: false, NoRetryBackoff: false, Granted: false };

function fieldsOf({ protocolVersion, sender, peers }: WireResponse, response: RaftResponse): Partial<Fields> {
  const header = { Addr: sender.address, ID: sender.id, ProtocolVersion: protocolVersion };
  switch (response.kind) {
    case 'appendEntries':
      return {
        ...header,
        Term: response.term,
        LastLog: response.lastIndex,
        Success: response.success,
        NoRetryBackoff: response.noRetryBackoff,
      };
    case 'requestVote':
      return { ...header, Term: response.term, Granted: response.granted, Peers: peers };
    case 'preVote':
      return { ...header, Term: response.term, Granted: response.granted };
    // Go leaves the header of these two empty.
    case 'installSnapshot':
      return { Term: response.term, Success: response.success };
    case 'timeoutNow':
      return {};
  }
}

function responseOf(kind: RequestKind, fields: Answered): RaftResponse {
  const term = fields.Term;
  switch (kind) {
    case 'appendEntries':
      return {
        ...{ kind, term, lastIndex: fields.LastLog, success: fields.Success },
        noRetryBackoff: fields.NoRetryBackoff,
      };
    case 'requestVote':
    case 'preVote':
      return { kind, term, granted: fields.Granted };
    case 'installSnapshot':
      return { kind, term, success: fields.Success };
    case 'timeoutNow':
      return { kind };
  }
}
