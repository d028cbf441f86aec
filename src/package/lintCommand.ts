#!/usr/bin/env node
import { main } from '../cli/lintPrompts.ts';

process.exitCode = await main(process.argv.slice(2));
