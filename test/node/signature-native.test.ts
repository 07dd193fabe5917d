import { describe, expect, it } from 'vitest';
import { loadEd25519 } from '../../src/node/ed25519.ts';
import { signatureWarning, verifyByNode, verifyHere, verifyNative } from '../../src/node/signature-native.ts';
import { signatureContract } from '../ledger/signature-contract.ts';

signatureContract('on the thread pool', verifyNative);
signatureContract('synchronous', verifyHere);
signatureContract('synchronous, by node:crypto', verifyByNode);

describe('libsodium', () => {
  it('is there, but on a Linux without glibc', async () => {
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    const hasBuild = process.platform !== 'linux' || header.glibcVersionRuntime !== undefined;
    expect((await loadEd25519()).equation !== null).toBe(hasBuild);
    expect(signatureWarning === null).toBe(hasBuild);
  });

  it('is left out where the package has no build', async () => {
    const { equation, warning } = await loadEd25519(() => Promise.reject(new Error('Cannot find addon\nCandidates:')));
    expect(equation).toBeNull();
    expect(warning).toMatch(/ed25519 .* twice as long .* Reason: Cannot find addon$/);
  });
});
