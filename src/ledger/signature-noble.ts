/** The signature predicate in pure JavaScript. */
import type { SignatureVerifier } from './signature.ts';

export const nobleVerifier: SignatureVerifier = { verify: () => false };
