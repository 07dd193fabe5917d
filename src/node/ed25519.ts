/**
 * The equation of an ed25519 signature (rule 5 of `ledger/signature.ts`) on libsodium: 84 us where
 * `node:crypto` takes 178, and no key to import. (docs/adr/0015-ed25519-on-libsodium.md)
 */
import type sodiumNative from 'sodium-native';

/** @param signature of 64 bytes, whose form was checked, as that of the key @throws Error when the sizes are others */
export type Ed25519Equation = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export interface LoadedEd25519 {
  /** Null: `node:crypto` is to be asked. */
  readonly equation: Ed25519Equation | null;
  /** One sentence for the log where it has to be, else null. */
  readonly warning: string | null;
}

type LoadSodium = () => Promise<{ readonly default: typeof sodiumNative }>;

/** The package has no build for some systems, such as Linux without glibc. */
export async function loadEd25519(load: LoadSodium = () => import('sodium-native')): Promise<LoadedEd25519> {
  try {
    const { default: sodium } = await load();
    return {
      equation: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
      warning: null,
    };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    const warning = `libsodium does not load: each ed25519 signature takes twice as long to check. Reason: ${reason}`;
    return { equation: null, warning };
  }
}
