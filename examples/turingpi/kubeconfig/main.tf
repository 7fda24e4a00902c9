# A module from its image to a K3s server, and its kubeconfig, which no state and no plan holds (Terraform 1.10 and newer).

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

variable "image" {
  description = "Image for the module, plain or .xz, that lets the user in by key."
  type        = string
}

variable "host" {
  description = "Address of the module in slot 1."
  type        = string
}

variable "ssh_port" {
  description = "Port of its SSH server."
  type        = number
  default     = 22
}

variable "ssh_user" {
  description = "User of the image."
  type        = string
  default     = "root"
}

variable "ssh_key_file" {
  description = "Private key of the user."
  type        = string
}

variable "known_hosts_file" {
  description = "Host keys. The module's is written into it when it is met first, and must stay the same."
  type        = string
}

variable "kubeconfig_file" {
  description = "Where kubectl is to find the kubeconfig."
  type        = string
}

resource "turingpi_node" "server" {
  node          = 1
  firmware_file = var.image
  boot_check    = true
}

resource "terraform_data" "k3s" {
  triggers_replace = [turingpi_node.server.firmware_sha256]
  input            = var.host

  provisioner "local-exec" {
    command = "ssh -F none -i \"$KEY\" -p $PORT -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=\"$KNOWN\" \"$LOGIN\" 'curl -sfL https://get.k3s.io | sudo sh -'"
    environment = {
      KEY   = var.ssh_key_file
      PORT  = var.ssh_port
      KNOWN = var.known_hosts_file
      LOGIN = "${var.ssh_user}@${var.host}"
    }
  }
}

ephemeral "turingpi_kubeconfig" "cluster" {
  host                 = terraform_data.k3s.output # not known, and so not asked, before K3s is there
  ssh_port             = var.ssh_port
  ssh_user             = var.ssh_user
  ssh_key              = file(var.ssh_key_file)
  ssh_known_hosts_file = var.known_hosts_file
  context              = "home"
  wait                 = true
}

# A provider takes the parts as they are:
#
#   provider "kubernetes" {
#     host                   = ephemeral.turingpi_kubeconfig.cluster.api_endpoint
#     cluster_ca_certificate = ephemeral.turingpi_kubeconfig.cluster.cluster_ca_certificate
#     client_certificate     = ephemeral.turingpi_kubeconfig.cluster.client_certificate
#     client_key             = ephemeral.turingpi_kubeconfig.cluster.client_key
#   }
#
# and kubectl takes a file that its owner alone may read.
resource "terraform_data" "kubeconfig" {
  triggers_replace = [terraform_data.k3s.id]

  provisioner "local-exec" {
    command = "umask 077 && printf '%s' \"$TEXT\" > \"$FILE\""
    environment = {
      TEXT = ephemeral.turingpi_kubeconfig.cluster.kubeconfig
      FILE = var.kubeconfig_file
    }
  }
}
