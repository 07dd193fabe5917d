/** The one predicate of a valid identity signature, and the part of it that costs nothing. */
import { refuse, type Result } from '../base/result.ts';
import type { Identity } from './identity.ts';

export interface SignatureVerifier {
  /** The whole predicate, form included. Never throws. */
  verify(identity: Identity, message: Uint8Array, signature: Uint8Array): boolean;
}

export function checkSignatureForm(_identity: Identity, _signature: Uint8Array): Result<void> {
  return refuse('unfinished', 'unfinished');
}
