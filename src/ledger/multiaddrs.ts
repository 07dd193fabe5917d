/** A node's addresses in one form: parsed, its own id stripped, without duplicates, sorted. */
import { multiaddr, CODE_P2P, type Component } from '@multiformats/multiaddr';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { parsePeerId } from './identity.ts';

export const MAX_ADDRESSES = 16;
/** Of one address as it was given, and as it is kept. */
export const MAX_ADDRESS_LENGTH = 256;

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const PORT = '(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}|0)';

/** The usual addresses in their canonical form. Parsing one costs 6 us, and every validator parses those of all events. */
const CANONICAL = new RegExp(
  `^/(?:ip4/(?:${OCTET}\\.){3}${OCTET}|dns[46]?/[A-Za-z0-9.-]+)/(?:tcp/${PORT}|udp/${PORT}/quic-v1)$`,
);

/**
 * @param peerId whose addresses they are, canonical
 * Refusals: `too-many-addresses`, `address-too-long`, `address-invalid`, `address-of-another-peer`.
 */
export function normaliseAddresses(peerId: string, addresses: readonly string[]): Result<readonly string[]> {
  if (addresses.length > MAX_ADDRESSES) {
    return refuse('too-many-addresses', 'a node has at most 16 addresses', {
      addresses: addresses.length,
      max: MAX_ADDRESSES,
    });
  }
  const normalised: string[] = [];
  for (const address of addresses) {
    const result = normaliseAddress(peerId, address);
    if (!result.ok) return result;
    normalised.push(result.value);
  }
  return ok(isNormalOrder(normalised) ? normalised : [...new Set(normalised)].sort());
}

/** Most are: to sort two or three costs more than to parse them. */
function isNormalOrder(addresses: readonly string[]): boolean {
  for (let i = 1; i < addresses.length; i++) {
    if ((addresses[i - 1] as string) >= (addresses[i] as string)) return false;
  }
  return true;
}

function normaliseAddress(peerId: string, address: string): Result<string> {
  if (address.length > MAX_ADDRESS_LENGTH) {
    return refuse('address-too-long', 'an address has at most 256 characters', {
      length: address.length,
      max: MAX_ADDRESS_LENGTH,
    });
  }
  if (CANONICAL.test(address)) return ok(address);
  // Addresses are joined with blanks for readers, and shown on pages: nothing but printable ASCII.
  if (!/^[\x21-\x7e]+$/.test(address)) return invalid(address);
  let text: string;
  try {
    const parts = multiaddr(address).getComponents();
    while (namesPeer(parts.at(-1), peerId)) parts.pop();
    if (parts.length === 0) return invalid(address);
    if (parts.at(-1)?.code === CODE_P2P) {
      return refuse('address-of-another-peer', "the address leads to another peer's id", { address });
    }
    // Through the binary form: it checks the values that the text form takes as they are, and it is the canonical one.
    text = multiaddr(multiaddr(parts).bytes).toString();
  } catch {
    return invalid(address);
  }
  return text.length <= MAX_ADDRESS_LENGTH && /^[\x21-\x7e]+$/.test(text) ? ok(text) : invalid(address);
}

function namesPeer(part: Component | undefined, peerId: string): boolean {
  if (part?.code !== CODE_P2P || part.value === undefined) return false;
  const named = parsePeerId(part.value);
  return named.ok && named.value.peerId === peerId;
}

function invalid(address: string): Refused {
  return refuse('address-invalid', 'the address does not parse as a multiaddr', {
    address: address.slice(0, MAX_ADDRESS_LENGTH),
  });
}
