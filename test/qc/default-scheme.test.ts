import { describe, expect, it } from 'vitest';
import { loadDefaultScheme } from '../../src/qc/default-scheme.ts';

describe('the default scheme', () => {
  it('is the native one where its library loads, without a warning', async () => {
    const { scheme, warning } = await loadDefaultScheme();
    expect(scheme.name).toBe('blst');
    expect(warning).toBeNull();
  });

  it('is the pure one where the native library does not load, with a warning that says what it costs and why', async () => {
    const { scheme, warning } = await loadDefaultScheme(() => Promise.reject(new Error('no binary for this platform')));
    expect(scheme.name).toBe('noble');
    expect(warning).toContain('verifying about 23 times as long');
    expect(warning).toContain('no binary for this platform');
  });
});
