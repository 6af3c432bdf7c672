//! A scripted Hub and CDN with every fault.
