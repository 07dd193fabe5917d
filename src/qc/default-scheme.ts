/**
 * Which scheme a process uses: the native one where its library loads (Linux, macOS and Windows on common processors),
 * else the pure one, whose cost the operator should know of. Needs a dynamic import, so it is not for pure rooms: the
 * shell loads a scheme once and hands it in.
 */
import type { SignatureScheme } from './scheme.ts';

export interface LoadedScheme {
  readonly scheme: SignatureScheme;
  /** One sentence for the log where the pure scheme had to be taken, else null. */
  readonly warning: string | null;
}

export async function loadDefaultScheme(
  loadNative: () => Promise<SignatureScheme> = importNative,
): Promise<LoadedScheme> {
  try {
    return { scheme: await loadNative(), warning: null };
  } catch (error) {
    const { nobleScheme } = await import('./scheme-noble.ts');
    return { scheme: nobleScheme, warning: pureSchemeWarning(error) };
  }
}

async function importNative(): Promise<SignatureScheme> {
  const { nativeScheme } = await import('./scheme-native.ts');
  return nativeScheme;
}

/** The ratios are of this project's benchmark: sign 27 ms against 0.6, verify 43 ms against 1.9, on one core. */
function pureSchemeWarning(error: unknown): string {
  const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  return (
    'The native BLS library does not load, so signatures are made and checked in JavaScript: signing takes about 45 ' +
    `times and verifying about 23 times as long. Fine for reading, slow for a validator. Reason: ${reason}`
  );
}
