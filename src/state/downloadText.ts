import { inMegabytes, megabytes } from '../files/byteCount.ts';
import type { Download } from './facts.ts';

/** The line that says how a download is doing. */
export function downloadText({ phase, progress }: Pick<Download, 'phase' | 'progress'>): string {
  if (!progress) return phase === 'running' ? 'Asking for the file' : '';
  const { done, total, verifying, bytesPerSecond } = progress;
  const parts = [`${inMegabytes(done)} of ${megabytes(total)}`];
  if (phase !== 'running') return parts[0];
  if (verifying) return `Checking ${parts[0]}`;
  if (bytesPerSecond !== undefined) {
    parts.push(`${megabytes(bytesPerSecond)}/s`);
    const seconds = (total - done) / bytesPerSecond;
    if (seconds >= 90 && seconds < 36_000) parts.push(`${Math.round(seconds / 60)} minutes left`);
    else if (seconds >= 2 && seconds < 90) parts.push(`${Math.round(seconds)} seconds left`);
  }
  return parts.join(' · ');
}
