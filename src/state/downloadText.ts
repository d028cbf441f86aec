import type { Download } from './facts.ts';

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** The line that says how a download is doing. */
export function downloadText({ phase, progress }: Pick<Download, 'phase' | 'progress'>): string {
  if (!progress) return phase === 'running' ? 'Asking for the file' : '';
  const { done, total, verifying, bytesPerSecond } = progress;
  const parts = [`${megabytes(done)} of ${megabytes(total)} MB`];
  if (phase !== 'running') return parts[0];
  if (verifying) return `Checking ${parts[0]}`;
  if (bytesPerSecond !== undefined) {
    parts.push(`${megabytes(bytesPerSecond)} MB/s`);
    const seconds = (total - done) / bytesPerSecond;
    if (seconds >= 90 && seconds < 36_000) parts.push(`${Math.round(seconds / 60)} minutes left`);
    else if (seconds >= 2 && seconds < 90) parts.push(`${Math.round(seconds)} seconds left`);
  }
  return parts.join(' · ');
}
