import { existsSync, readFileSync } from 'node:fs';

/**
 * Sums over processes: resident memory now and at most so far, in MB, and processor seconds used. Undefined if there is
 * no /proc.
 */
export function usage(ids) {
  if (!existsSync('/proc/self/status')) return;
  const total = { now: 0, peak: 0, processor: 0 };
  for (const id of ids) {
    const status = readFileSync(`/proc/${id}/status`, 'utf8');
    const megabytes = (name) => Number(status.match(`${name}:\\s+(\\d+) kB`)?.[1] ?? 0) / 1000;
    total.now += megabytes('VmRSS');
    total.peak += megabytes('VmHWM');
    // After the name in brackets, which may contain anything, utime and stime are the 12th and 13th, in hundredths.
    const times = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1).split(' ').slice(11, 13);
    total.processor += times.reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
  }
  return total;
}
