//! What a job is: lifecycle, durable log, running, cancelling, recovery, watching.
