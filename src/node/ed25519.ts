/**
 * The equation of an ed25519 signature (rule 5 of `ledger/signature.ts`) on libsodium: 84 us where
 * `node:crypto` takes 178, and no key to import. (docs/adr/0015-ed25519-on-libsodium.md)
 */
import type sodiumNative from 'sodium-native';

/** @param signature of 64 bytes, whose form was checked, as that of the key @throws Error when the sizes are others */
export type Ed25519Equation = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

type LoadSodium = () => Promise<{ readonly default: typeof sodiumNative }>;

/** @returns null where the package has no build for this system, as on Linux without glibc */
export async function loadEd25519(load: LoadSodium = () => import('sodium-native')): Promise<Ed25519Equation | null> {
  try {
    const { default: sodium } = await load();
    return (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey);
  } catch {
    return null;
  }
}
