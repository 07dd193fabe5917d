/** Whom to dial, and by what code a dial that failed is told. */
import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import { CodedError, codedError, type Refusal } from '../base/result.ts';

/** @throws CodedError `address-invalid` */
export function parsePeer(peerId: string): PeerId {
  try {
    return peerIdFromString(peerId);
  } catch (error) {
    throw codedError(
      'address-invalid',
      'the text is not a peer id',
      { peerId: peerId.slice(0, 100) },
      { cause: error },
    );
  }
}

/**
 * Every address names the peer, so that the handshake refuses anyone else.
 *
 * @throws CodedError `address-invalid`; `wrong-peer` when an address names another peer
 */
export function dialAddresses(peerId: string, multiaddrs: readonly string[]): Multiaddr[] {
  return multiaddrs.map((text) => {
    const address = parseAddress(peerId, text);
    const named = address.getComponents().findLast(({ name }) => name === 'p2p')?.value;
    if (named === undefined) return address.encapsulate(`/p2p/${peerId}`);
    if (named === peerId) return address;
    throw codedError('wrong-peer', 'the address to dial names another peer', { peerId, named });
  });
}

function parseAddress(peerId: string, text: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (error) {
    throw codedError('address-invalid', 'an address to dial is not a multiaddr', { peerId }, { cause: error });
  }
}

const TOO_LATE = { code: 'deadline-passed', message: 'the peer did not answer in time' };
const STREAM_FAILED = { code: 'stream-failed', message: 'the stream could not be opened' };
const DIAL_FAILED = { code: 'dial-failed', message: 'the peer could not be reached' };

const OPEN_ERRORS: ReadonlyMap<string, Pick<Refusal, 'code' | 'message'>> = new Map([
  ['UnexpectedPeerError', { code: 'wrong-peer', message: 'another peer answers at the address' }],
  ['UnsupportedProtocolError', { code: 'protocol-unsupported', message: 'the peer does not speak the protocol' }],
  ['TimeoutError', TOO_LATE],
  ['AbortError', TOO_LATE],
]);

export function openError(error: unknown, details: Readonly<Record<string, string>>): CodedError {
  const causes = error instanceof AggregateError ? [error, ...(error.errors as unknown[])] : [error];
  const known = causes.map((cause) => OPEN_ERRORS.get(cause instanceof Error ? nameOf(cause) : ''));
  const unknown = 'protocol' in details ? STREAM_FAILED : DIAL_FAILED;
  const { code, message } = known.find((entry) => entry !== undefined) ?? unknown;
  const reason = causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join('; ');
  return new CodedError({ code, message, details: { ...details, reason: reason.slice(0, 500) } }, { cause: error });
}

/** The handshake's own error is wrapped without its name. */
function nameOf(error: Error): string {
  return error.name === 'EncryptionFailedError' && error.message === 'Unexpected Peer'
    ? 'UnexpectedPeerError'
    : error.name;
}
